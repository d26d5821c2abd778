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

/* The packet leaves as the reverse of `other`: what the conn's other side would answer to. */
static __always_inline bool rewrite4(struct packet *p, const struct flow *other)
{
	struct iphdr *ip = p->data + ETH_LEN;
	__u32 *ports;
	__u32 old_src = p->flow.src.w[0], old_dst = p->flow.dst.w[0];
	__u32 new_src = other->dst.w[0], new_dst = other->src.w[0];
	__u32 old_ports = ports_word(p->flow.sport, p->flow.dport), new_ports = ports_word(other->dport, other->sport);
	__u64 addresses = change(old_src, new_src) + change(old_dst, new_dst);

	if ((void *)(ip + 1) > p->end)
		return false;
	ip->saddr = new_src;
	ip->daddr = new_dst;
	ip->check = update_checksum(ip->check, addresses);
	if (p->fragment == 2)
		return true;

	ports = p->data + p->l4;
	if ((void *)(ports + 1) > p->end)
		return false;
	*ports = new_ports;
	return hook_fix_l4(p, p->l4 + l4_check_offset(p->flow.protocol), addresses, change(old_ports, new_ports),
			   p->flow.protocol == IPPROTO_UDP);
}
