/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * ICMP errors about a conn (spec 5.7). The quoted packet is the one that somebody could not deliver; reversed, it is a
 * packet of the conn's other side, and so finds it. The error goes on to the host whose packet is quoted, with the
 * quote changed back to what that host had sent.
 */
#pragma once

#include "rewrite.h"
#include "tunnel.h"
#include "state.h"

#define ICMP_SOURCE_QUENCH 4

/* The quoted packet: where it stands in the frame, and the flow it shows. */
struct quote {
	__u32 ip;               /* offsets */
	__u32 l4;
	struct flow flow;
};

static __always_inline bool parse_quote4(struct packet *p, struct quote *q)
{
	const struct iphdr *ip = p->data + q->ip;
	const struct {
		__be16 source, dest;
	} *ports;
	__u32 ihl;

	if ((void *)(ip + 1) > p->end || ip->version != 4)
		return false;
	ihl = ip->ihl * 4;
	if (ihl < sizeof(*ip) || bpf_ntohs(ip->frag_off) & IP_OFFSET)
		return false;
	if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP)
		return false;
	q->l4 = q->ip + ihl;
	ports = p->data + q->l4;
	/* eight bytes of it must be there (RFC 792) */
	if ((void *)ports + 8 > p->end || q->l4 + 8 > ETH_LEN + p->len)
		return false;
	q->flow.src.w[0] = ip->saddr;
	q->flow.dst.w[0] = ip->daddr;
	q->flow.sport = ports->source;
	q->flow.dport = ports->dest;
	q->flow.protocol = ip->protocol;
	q->flow.family = 4;
	return true;
}

/*
 * The quoted flow becomes `to`; the outer addresses become `src` and `dst`. Checksums: quoted IP header, ICMP (whose sum
 * covers the quote), outer IP header. The quoted transport checksum is left alone, as the kernel does.
 */
static __always_inline bool rewrite_error4(struct packet *p, const struct quote *q, const struct flow *to, __be32 src, __be32 dst)
{
	struct iphdr *ip = p->data + ETH_LEN, *inner;
	__u16 *icmp_check;
	__u32 *ports;
	__u64 addresses = change(q->flow.src.w[0], to->src.w[0]) + change(q->flow.dst.w[0], to->dst.w[0]);
	__u64 port_changes = change(ports_word(q->flow.sport, q->flow.dport), ports_word(to->sport, to->dport));
	__u16 old_check;

	if ((void *)(ip + 1) > p->end)
		return false;
	ip->check = update_checksum(ip->check, change(ip->saddr, src) + change(ip->daddr, dst));
	ip->saddr = src;
	ip->daddr = dst;

	inner = p->data + q->ip;
	if ((void *)(inner + 1) > p->end)
		return false;
	old_check = inner->check;
	inner->saddr = to->src.w[0];
	inner->daddr = to->dst.w[0];
	inner->check = update_checksum(old_check, addresses);

	ports = p->data + q->l4;
	if ((void *)(ports + 1) > p->end)
		return false;
	*ports = ports_word(to->sport, to->dport);

	icmp_check = p->data + p->l4 + 2;
	if ((void *)(icmp_check + 1) > p->end)
		return false;
	*icmp_check = update_checksum(*icmp_check, addresses + port_changes + change(old_check, inner->check));
	return true;
}
