/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * ICMP errors of our own making (RFC 792, RFC 1812 section 4.3.2): the packet is turned in place into an error about
 * itself and goes back to the MAC it came from. Its source is the address the packet was for, as the kernel does.
 */
#pragma once

#include "transmit.h"
#include "conn.h"

/* RFC 792. */
struct icmp_header {
	__u8 type;
	__u8 code;
	__u16 checksum;
	__be32 rest;
};

/* Our errors by what happened, each with its type and code in both families (RFC 792, RFC 4443). */
enum trouble { TROUBLE_HOST, TROUBLE_PORT, TROUBLE_TOO_BIG, TROUBLE_TTL };

#define ICMP_UNREACHABLE 3
#define ICMP_TIME 11
#define ICMP_HEADER 8
#define ICMP_QUOTE_MAX (576 - 20 - ICMP_HEADER)
#define ICMP6_QUOTE_MAX (1280 - 40 - ICMP_HEADER)
/* RFC 1812 4.3.2.8; like net.ipv4.icmp_msgs_per_sec and icmp_msgs_burst */
#define ICMP_PER_SECOND 1000
#define ICMP_BURST 50

/* A token bucket for all errors but "fragmentation needed", which path MTU discovery cannot do without. */
static __always_inline bool may_send_icmp(const struct packet *p)
{
	struct table_state *table = table_of();
	struct settings *set = settings_of();
	__u64 before, after;
	__u32 tokens, passed, hz;

	if (!table || !set)
		return false;
	before = READ_ONCE(table->icmp_stamp);
	hz = set->hz ? set->hz : 1;
	passed = p->now - (__u32)(before >> 32);
	if ((__s32)passed < 0)
		passed = 0; /* another CPU is a jiffy ahead */
	if (passed > hz)
		passed = hz;
	tokens = (__u32)before + passed * ICMP_PER_SECOND / hz;
	if (tokens > ICMP_BURST)
		tokens = ICMP_BURST;
	if (tokens == 0)
		return false;
	after = (__u64)p->now << 32 | (tokens - 1);
	__sync_val_compare_and_swap(&table->icmp_stamp, before, after);
	return true;
}

/* The frame's own Ethernet header, turned round, in front of `grow` new bytes; the payload is cut to `quote` bytes. */
static __always_inline bool turn_round(HOOK_CONTEXT *ctx, __u32 quote, __u32 grow)
{
	struct ethhdr *eth = hook_data(ctx);
	__u8 source[6], dest[6];
	__be16 proto;

	if ((void *)(eth + 1) > hook_end(ctx))
		return false;
	__builtin_memcpy(source, eth->h_source, 6);
	__builtin_memcpy(dest, eth->h_dest, 6);
	proto = eth->h_proto;
	if (!hook_trim(ctx, ETH_LEN + quote) || !hook_grow(ctx, grow, PUSH_ICMP, 0))
		return false;
	eth = hook_data(ctx);
	if ((void *)(eth + 1) > hook_end(ctx))
		return false;
	__builtin_memcpy(eth->h_dest, source, 6);
	__builtin_memcpy(eth->h_source, dest, 6);
	eth->h_proto = proto;
	return true;
}

static __always_inline bool make_icmp4(HOOK_CONTEXT *ctx, const struct packet *p, const struct addr *source, __u32 trouble, __u32 mtu)
{
	struct iphdr *ip = hook_data(ctx) + ETH_LEN;
	struct icmp_header *icmp;
	__u32 quote = p->len > ICMP_QUOTE_MAX ? ICMP_QUOTE_MAX : p->len;
	__be32 client;
	const __u32 *w;
	__u8 tos;

	if ((void *)(ip + 1) > hook_end(ctx))
		return false;
	client = ip->saddr;
	tos = (ip->tos & 0x1e) | 0xc0; /* internet control */
	if (!turn_round(ctx, quote, sizeof(*ip) + ICMP_HEADER))
		return false;
	ip = hook_data(ctx) + ETH_LEN;
	icmp = (void *)(ip + 1);
	if ((void *)(icmp + 1) > hook_end(ctx))
		return false;
	icmp->type = trouble == TROUBLE_TTL ? ICMP_TIME : ICMP_UNREACHABLE;
	icmp->code = trouble == TROUBLE_TTL ? 0 : trouble == TROUBLE_HOST ? 1 : trouble == TROUBLE_PORT ? 3 : 4;
	icmp->checksum = 0;
	icmp->rest = bpf_htonl(mtu & 0xffff);
	icmp->checksum = ~fold(sum_packet(ctx, ETH_LEN + sizeof(*ip), ICMP_HEADER + quote));
	ip->version = 4;
	ip->ihl = 5;
	ip->tos = tos;
	ip->tot_len = bpf_htons(sizeof(*ip) + ICMP_HEADER + quote);
	ip->id = bpf_get_prandom_u32();
	ip->frag_off = 0;
	ip->ttl = 64;
	ip->protocol = IPPROTO_ICMP;
	ip->check = 0;
	ip->saddr = source->w[0];
	ip->daddr = client;
	w = (const void *)ip;
	ip->check = ~fold((__u64)w[0] + w[1] + w[2] + w[3] + w[4]);
	return true;
}

static __always_inline bool make_icmp6(HOOK_CONTEXT *ctx, const struct packet *p, const struct addr *source, __u32 trouble, __u32 mtu)
{
	struct ipv6hdr *ip = hook_data(ctx) + ETH_LEN;
	struct icmp_header *icmp;
	__u32 quote = p->len > ICMP6_QUOTE_MAX ? ICMP6_QUOTE_MAX : p->len;
	__u64 sum;

	if (!turn_round(ctx, quote, sizeof(*ip) + ICMP_HEADER))
		return false;
	ip = hook_data(ctx) + ETH_LEN;
	icmp = (void *)(ip + 1);
	if ((void *)(icmp + 1) > hook_end(ctx))
		return false;
	icmp->type = trouble == TROUBLE_TTL ? 3 : trouble == TROUBLE_TOO_BIG ? 2 : 1;
	icmp->code = trouble == TROUBLE_PORT ? 4 : trouble == TROUBLE_HOST ? 3 : 0;
	icmp->checksum = 0;
	icmp->rest = trouble == TROUBLE_TOO_BIG ? bpf_htonl(mtu) : 0;
	*(__u32 *)ip = bpf_htonl(6u << 28);
	ip->payload_len = bpf_htons(ICMP_HEADER + quote);
	ip->nexthdr = IPPROTO_ICMPV6;
	ip->hop_limit = 64;
	copy_addr(&ip->saddr, source);
	copy_addr(&ip->daddr, &p->flow.src);
	/* the pseudo header: both addresses, length, next header */
	sum = sum_packet(ctx, ETH_LEN + sizeof(*ip), ICMP_HEADER + quote) + bpf_htonl(ICMP_HEADER + quote) + bpf_htonl(IPPROTO_ICMPV6);
#pragma clang loop unroll(full)
	for (int i = 0; i < 4; i++)
		sum += (__u64)p->flow.src.w[i] + source->w[i];
	ip = hook_data(ctx) + ETH_LEN;
	icmp = (void *)(ip + 1);
	if ((void *)(icmp + 1) > hook_end(ctx))
		return false;
	icmp->checksum = ~fold(sum);
	return true;
}

/* About a packet for the director it comes from the address the packet was for, about a stray answer from the director's own. */
__noinline int make_icmp(HOOK_CONTEXT *ctx, const struct packet *p, __u32 trouble, __u32 mtu)
{
	struct addr source;
	struct dest *d;

	if (!p)
		return 0;
	d = p->stray ? dest_at(p->stray) : 0;
	source = d && d->source.w[0] ? d->source : p->flow.dst;
	return p->flow.family == 4 ? make_icmp4(ctx, p, &source, trouble, mtu) : make_icmp6(ctx, p, &source, trouble, mtu);
}

/* Tell the sender, unless the rate limit or the packet itself forbids it. */
static __always_inline enum verdict refuse(HOOK_CONTEXT *ctx, struct packet *p, enum trouble trouble, __u32 mtu, enum exit_reason told,
					    enum exit_reason quiet)
{
	/* path MTU discovery cannot do without its errors */
	if (p->fragment == LATER_FRAGMENT || (trouble != TROUBLE_TOO_BIG && !may_send_icmp(p)) || !make_icmp(ctx, p, trouble, mtu))
		return leave(p, quiet, V_DROP);
	return leave(p, told, hook_send(p, p->ifindex));
}
