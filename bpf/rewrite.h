/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* NAT and FullNAT, both directions: the packet's flow is replaced by another, checksums follow. */
#pragma once

#include "transmit.h"

static __always_inline __u32 l4_check_offset(__u8 protocol)
{
	return protocol == IPPROTO_TCP ? __builtin_offsetof(struct tcphdr, check) : __builtin_offsetof(struct udphdr, check);
}

static __always_inline __u32 ports_word(__be16 sport, __be16 dport)
{
	return (__u32)sport | (__u32)dport << 16;
}

/*
 * SCTP sums every byte, so only a changed port costs anything, and then a walk over the packet (RFC 9260 appendix A; the
 * field is little-endian and zero while it is summed).
 */
__noinline int fix_sctp(HOOK_CONTEXT *ctx, const struct packet *p)
{
	__u32 *crc, value, l4;

	if (!p)
		return false;
	l4 = l4_of(p);
	crc = hook_data(ctx) + l4 + SCTP_CRC_OFFSET;
	if ((void *)(crc + 1) > hook_end(ctx))
		return false;
	*crc = 0;
	value = crc32c_packet(ctx, l4, p->len - (l4 - ETH_LEN));
	crc = hook_data(ctx) + l4 + SCTP_CRC_OFFSET;
	if ((void *)(crc + 1) > hook_end(ctx))
		return false;
	*crc = value;
	return true;
}

/*
 * IPv4 UDP without a checksum gets one, as from the kernel's NAT (a fragment cannot: the rest is not here).
 * `other`: the flow whose reverse the packet has become.
 */
__noinline int sum_udp(HOOK_CONTEXT *ctx, const struct packet *p, const struct flow *other)
{
	struct udphdr *udp;
	__u32 bytes, l4;
	__u64 sum;

	if (!p || !other || p->fragment != WHOLE || !hook_linear(ctx))
		return true;
	l4 = l4_of(p);
	bytes = p->len - (l4 - ETH_LEN);
	sum = sum_packet(ctx, l4, bytes) + other->src.w[0] + other->dst.w[0] + bpf_htons(bytes) + bpf_htons(IPPROTO_UDP);
	udp = hook_data(ctx) + l4;
	if ((void *)(udp + 1) > hook_end(ctx))
		return false;
	udp->check = ~fold(sum);
	if (udp->check == 0)
		udp->check = 0xffff;
	return true;
}

/* Ports and transport checksum; what comes without transport header has neither. */
static __always_inline bool rewrite_ports(HOOK_CONTEXT *ctx, const struct packet *p, const struct flow *other, __u64 addresses)
{
	__u32 old = ports_word(p->flow.sport, p->flow.dport), new = ports_word(other->dport, other->sport);
	struct udphdr *l4;

	if (p->fragment == LATER_FRAGMENT)
		return true;
	l4 = hook_data(ctx) + l4_of(p);
	if ((void *)(l4 + 1) > hook_end(ctx))
		return false;
	*(__u32 *)l4 = new;
	if (p->flow.protocol == IPPROTO_SCTP)
		return old == new || fix_sctp(ctx, p);
	if (p->flow.protocol == IPPROTO_UDP && l4->check == 0)
		return p->flow.family == 6 || sum_udp(ctx, p, other);
	return hook_fix_l4(ctx, l4_of(p) + l4_check_offset(p->flow.protocol), addresses, change(old, new),
			   p->flow.protocol == IPPROTO_UDP);
}

/* The packet leaves as the reverse of `other`: what the conn's other side would answer to. */
static __always_inline bool rewrite(HOOK_CONTEXT *ctx, const struct packet *p, const struct flow *other)
{
	int family = p->flow.family;
	__u64 addresses;

	if (family == 4) {
		struct iphdr *ip = hook_data(ctx) + ETH_LEN;

		if ((void *)(ip + 1) > hook_end(ctx))
			return false;
		addresses = addr_change(&p->flow.src, &other->dst, 4) + addr_change(&p->flow.dst, &other->src, 4);
		ip->saddr = other->dst.w[0];
		ip->daddr = other->src.w[0];
		ip->check = update_checksum(ip->check, addresses);
	} else {
		struct ipv6hdr *ip = hook_data(ctx) + ETH_LEN;

		if ((void *)(ip + 1) > hook_end(ctx))
			return false;
		addresses = addr_change(&p->flow.src, &other->dst, 6) + addr_change(&p->flow.dst, &other->src, 6);
		copy_addr(&ip->saddr, &other->dst);
		copy_addr(&ip->daddr, &other->src);
	}
	return rewrite_ports(ctx, p, other, addresses);
}
