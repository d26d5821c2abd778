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

#define ICMP_UNREACHABLE 3
#define ICMP_TIME 11
#define ICMP_HOST_UNREACHABLE_CODE 1
#define ICMP_PORT_UNREACHABLE_CODE 3
#define ICMP_FRAG_NEEDED_CODE 4

#define ICMP_HEADER 8
#define ICMP_QUOTE_MAX (576 - 20 - ICMP_HEADER)
#define ICMP_GROW (20 + ICMP_HEADER)
/* RFC 1812 4.3.2.8; like net.ipv4.icmp_msgs_per_sec and icmp_msgs_burst */
#define ICMP_PER_SECOND 1000
#define ICMP_BURST 50

/* A token bucket for all errors but "fragmentation needed", which path MTU discovery cannot do without. */
static __always_inline bool may_send_icmp(struct packet *p)
{
	struct table_state *table = table_of();
	__u64 before, after;
	__u32 tokens, passed, hz;

	if (!table)
		return false;
	before = READ_ONCE(table->icmp_stamp);
	hz = p->set->hz ? p->set->hz : 1;
	passed = p->now - (__u32)(before >> 32);
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

/* The sum over `bytes` (at most ICMP_HEADER + ICMP_QUOTE_MAX) from `offset` on. */
static __always_inline __u64 sum_bytes(struct packet *p, __u32 offset, __u32 bytes)
{
	void *at = p->data + offset;
	__u64 sum = 0;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < (ICMP_HEADER + ICMP_QUOTE_MAX) / 4; i++) {
		if (i * 4 + 4 > bytes || at + 4 > p->end)
			break;
		sum += *(__u32 *)at;
		at += 4;
	}
	if (bytes & 2 && at + 2 <= p->end) {
		sum += *(__u16 *)at;
		at += 2;
	}
	if (bytes & 1 && at + 1 <= p->end)
		sum += *(__u8 *)at; /* the low byte of a little-endian half word */
	return sum;
}

static __noinline bool make_icmp4(struct packet *p, __u32 type_and_code, __u32 mtu)
{
	struct ethhdr *eth = p->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct icmp_header *icmp;
	__u8 source_mac[6], dest_mac[6];
	__be32 client, vip;
	__u32 quote = p->len > ICMP_QUOTE_MAX ? ICMP_QUOTE_MAX : p->len;
	__u8 tos;

	if ((void *)(ip + 1) > p->end)
		return false;
	__builtin_memcpy(source_mac, eth->h_source, 6);
	__builtin_memcpy(dest_mac, eth->h_dest, 6);
	client = ip->saddr;
	vip = ip->daddr;
	tos = (ip->tos & 0x1e) | 0xc0; /* internet control */
	if (!hook_trim(p, ETH_LEN + quote) || !hook_grow(p, ICMP_GROW))
		return false;

	eth = p->data;
	ip = (void *)(eth + 1);
	icmp = (void *)(ip + 1);
	if ((void *)(icmp + 1) > p->end)
		return false;
	__builtin_memcpy(eth->h_dest, source_mac, 6);
	__builtin_memcpy(eth->h_source, dest_mac, 6);
	eth->h_proto = bpf_htons(ETH_P_IP);
	*(__u32 *)icmp = (type_and_code >> 8) | (type_and_code & 0xff) << 8;
	*((__u32 *)icmp + 1) = bpf_htonl(mtu & 0xffff);
	icmp->checksum = ~fold(sum_bytes(p, ETH_LEN + 20, ICMP_HEADER + quote));
	ip->version = 4;
	ip->ihl = 5;
	ip->tos = tos;
	ip->tot_len = bpf_htons(ICMP_GROW + quote);
	ip->id = bpf_get_prandom_u32();
	ip->frag_off = 0;
	ip->ttl = 64;
	ip->protocol = IPPROTO_ICMP;
	ip->check = 0;
	ip->saddr = vip;
	ip->daddr = client;
	const __u32 *w = (const void *)ip;

	ip->check = ~fold((__u64)w[0] + w[1] + w[2] + w[3] + w[4]);
	return true;
}

static __always_inline __u32 icmp_kind(__u32 type, __u32 code)
{
	return type << 8 | code;
}

/* Tell the sender, unless the rate limit or the packet itself forbids it. */
static __always_inline enum verdict refuse(struct packet *p, __u32 kind, __u32 mtu, enum exit_reason told, enum exit_reason quiet)
{
	bool free_of_limit = kind == icmp_kind(ICMP_UNREACHABLE, ICMP_FRAG_NEEDED_CODE);

	if (p->fragment == 2 || (!free_of_limit && !may_send_icmp(p)) || !make_icmp4(p, kind, mtu))
		return leave(p, quiet, V_DROP);
	return leave(p, told, V_TX);
}
