/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Stage 1: Ethernet, IP and the transport header become a flow. What is malformed goes to the stack, which drops it. */
#pragma once

#include "sctp.h"

#define IP_MF 0x2000
#define IP_DF 0x4000
#define IP_OFFSET 0x1fff

/* Frames that are not for us: multicast, or flooded past us by a switch that has not learnt yet. */
static __always_inline bool is_for_host(struct packet *p, const struct ethhdr *eth)
{
	const struct device *i = bpf_map_lookup_elem(&interfaces, &p->ifindex);
	const __u16 *to = (const void *)eth, *own; /* not through eth: it is packed, and would be read by bytes */

	if (eth->h_dest[0] & 1)
		return false;
	if (!i || !(i->flags & DEVICE_KNOWN))
		return true;
	p->redirect = i->flags & DEVICE_REDIRECT;
	own = (const void *)i->mac;
	return to[0] == own[0] && to[1] == own[1] && to[2] == own[2];
}

#define SUM_MAX 9216 /* a jumbo frame */

/*
 * The sum over `bytes` (at most SUM_MAX) from `offset` on, unfolded. A global function: its loop is verified on its own,
 * and the ways out of it do not multiply what comes after.
 */
__noinline __u64 sum_packet(HOOK_CONTEXT *ctx, __u32 offset, __u32 bytes)
{
	void *at = hook_data(ctx) + (offset & 0xff), *end = hook_end(ctx);
	__u64 sum = 0;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < SUM_MAX / 4; i++) {
		if (i * 4 + 4 > bytes || at + 4 > end)
			break;
		sum += *(__u32 *)at;
		at += 4;
	}
	if (bytes & 2 && at + 2 <= end) {
		sum += *(__u16 *)at;
		at += 2;
	}
	if (bytes & 1 && at + 1 <= end)
		sum += *(__u8 *)at; /* the low byte of a little-endian half word */
	return sum;
}

/* RFC 791: the header's sum, options included, is 0xffff. */
static __always_inline bool is_ip_sum_right(HOOK_CONTEXT *ctx, const struct iphdr *ip, __u32 ihl)
{
	const __u32 *word = (const void *)ip;
	__u64 sum = (__u64)word[0] + word[1] + word[2] + word[3] + word[4];

	if (unlikely(ihl > sizeof(*ip)))
		sum += sum_packet(ctx, ETH_LEN + sizeof(*ip), ihl - sizeof(*ip));
	return fold(sum) == 0xffff;
}

/* Source and destination port, which TCP, UDP and SCTP share. */
struct ports {
	__be16 source;
	__be16 dest;
};

static __always_inline enum verdict parse_transport(HOOK_CONTEXT *ctx, struct packet *p, __u32 l4_len)
{
	const struct ports *ports = hook_data(ctx) + l4_of(p);

	if ((void *)(ports + 1) > hook_end(ctx) || l4_len < sizeof(*ports))
		return leave(p, EXIT_TRUNCATED, V_DROP);
	p->flow.sport = ports->source;
	p->flow.dport = ports->dest;

	if (p->flow.protocol == IPPROTO_TCP) {
		const __u8 *tcp = (const void *)ports;

		if ((void *)(tcp + sizeof(struct tcphdr)) > hook_end(ctx) || l4_len < sizeof(struct tcphdr))
			return leave(p, EXIT_TRUNCATED, V_DROP);
		p->tcp_flags = tcp[13];
	} else if (p->flow.protocol == IPPROTO_SCTP) {
		if (!read_chunk(ctx, p, l4_len))
			return leave(p, EXIT_TRUNCATED, V_DROP);
	} else if (l4_len < sizeof(struct udphdr)) {
		return leave(p, EXIT_TRUNCATED, V_DROP);
	}
	return V_NEXT;
}

static __always_inline enum verdict parse4(HOOK_CONTEXT *ctx, struct packet *p)
{
	const void *end = hook_end(ctx);
	const struct iphdr *ip = hook_data(ctx) + ETH_LEN;
	__u32 room = (__u32)((long)end - (long)hook_data(ctx)) - ETH_LEN;
	__u32 ihl;
	__u16 fragment;

	if ((void *)(ip + 1) > end)
		return leave(p, EXIT_MALFORMED, V_PASS);
	ihl = ip->ihl * 4;
	p->len = bpf_ntohs(ip->tot_len);
	if (ip->version != 4 || ihl < sizeof(*ip) || p->len < ihl || p->len > hook_room(ctx, room))
		return leave(p, EXIT_MALFORMED, V_PASS);
	if (unlikely(!is_ip_sum_right(ctx, ip, ihl)))
		return leave(p, EXIT_BAD_CHECKSUM, V_PASS);

	fragment = bpf_ntohs(ip->frag_off);
	p->fragment_id = ip->id;
	p->df = (fragment & IP_DF) != 0;
	p->fragment = fragment & IP_OFFSET ? LATER_FRAGMENT : fragment & IP_MF ? FIRST_FRAGMENT : WHOLE;
	p->ttl = ip->ttl;
	p->l4 = ETH_LEN + ihl;
	p->flow.src.w[0] = ip->saddr;
	p->flow.dst.w[0] = ip->daddr;
	p->flow.protocol = ip->protocol;
	p->flow.family = 4;
	p->wire_len = hook_wire_len(ctx, p); /* which depends on the protocol */
	return V_NEXT;
}

/* RFC 8200 section 4: extension headers that may stand before the transport header. */
#define NEXT_HOP_BY_HOP 0
#define NEXT_ROUTING 43
#define NEXT_FRAGMENT 44
#define NEXT_OPTIONS 60
#define MAX_EXTENSIONS 6

struct extension {
	__u8 next;
	__u8 length;            /* in 8 bytes, without the first 8 */
	__be16 fragment;        /* fragment header: offset in 8 bytes << 3, more flag */
	__be32 id;
};

/* Walk the extension headers: p->l4 and the transport protocol. */
static __always_inline bool skip_extensions(HOOK_CONTEXT *ctx, struct packet *p, __u8 next, __u32 end)
{
	__u32 at = ETH_LEN + sizeof(struct ipv6hdr);

#pragma clang loop unroll(disable)
	for (int i = 0; i < MAX_EXTENSIONS; i++) {
		const struct extension *e = hook_data(ctx) + at;

		if (next != NEXT_HOP_BY_HOP && next != NEXT_ROUTING && next != NEXT_OPTIONS && next != NEXT_FRAGMENT)
			break;
		if ((void *)(e + 1) > hook_end(ctx))
			return false;
		if (next == NEXT_FRAGMENT) {
			__u16 fragment = bpf_ntohs(e->fragment);

			p->fragment = fragment & ~7 ? LATER_FRAGMENT : fragment & 1 ? FIRST_FRAGMENT : WHOLE;
			p->fragment_id = e->id;
			at += 8;
		} else {
			at += ((__u32)e->length + 1) * 8;
		}
		next = e->next;
		if (at > end || at > 512)
			return false;
		if (p->fragment == LATER_FRAGMENT)
			break;
	}
	p->l4 = at;
	p->flow.protocol = next;
	return true;
}

__noinline int parse6(HOOK_CONTEXT *ctx, struct packet *p)
{
	const struct ipv6hdr *ip = hook_data(ctx) + ETH_LEN;
	__u32 room = (__u32)((long)hook_end(ctx) - (long)hook_data(ctx)) - ETH_LEN;

	if (!p)
		return V_DROP;

	if ((void *)(ip + 1) > hook_end(ctx))
		return leave(p, EXIT_MALFORMED, V_PASS);
	p->len = sizeof(*ip) + bpf_ntohs(ip->payload_len);
	if (ip->version != 6 || p->len > hook_room(ctx, room))
		return leave(p, EXIT_MALFORMED, V_PASS);
	p->df = 1;
	p->ttl = ip->hop_limit;
	__builtin_memcpy(&p->flow.src, &ip->saddr, 16);
	__builtin_memcpy(&p->flow.dst, &ip->daddr, 16);
	p->flow.family = 6;
	if (!skip_extensions(ctx, p, ip->nexthdr, ETH_LEN + p->len))
		return leave(p, EXIT_MALFORMED, V_PASS);
	p->wire_len = hook_wire_len(ctx, p);
	return V_NEXT;
}
