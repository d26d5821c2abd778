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

/* Ports and transport checksum; later fragments have neither. */
static __always_inline bool rewrite_ports(HOOK_CONTEXT *ctx, const struct packet *p, const struct flow *other, __u64 addresses)
{
	__u32 old = ports_word(p->flow.sport, p->flow.dport), new = ports_word(other->dport, other->sport);
	__u32 *ports;

	if (p->fragment == LATER_FRAGMENT)
		return true;
	ports = hook_data(ctx) + l4_of(p);
	if ((void *)(ports + 1) > hook_end(ctx))
		return false;
	*ports = new;
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
