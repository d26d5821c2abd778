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

/* The quoted packet: where it stands in the frame, and the flow of an answer to it, by which its conn is found. */
struct quote {
	__u32 ip;               /* offsets */
	__u32 l4;
	struct flow flow;
};

/* Eight bytes of the quoted transport header must be there (RFC 792). */
static __always_inline bool parse_quote_ports(HOOK_CONTEXT *ctx, const struct packet *p, struct quote *q)
{
	const struct ports *ports = hook_data(ctx) + q->l4;

	if (q->flow.protocol != IPPROTO_TCP && q->flow.protocol != IPPROTO_UDP && q->flow.protocol != IPPROTO_SCTP)
		return false;
	if ((void *)ports + 8 > hook_end(ctx) || q->l4 + 8 > ETH_LEN + p->len)
		return false;
	q->flow.sport = ports->dest;
	q->flow.dport = ports->source;
	return true;
}

static __always_inline bool parse_quote4(HOOK_CONTEXT *ctx, const struct packet *p, struct quote *q)
{
	const struct iphdr *ip = hook_data(ctx) + q->ip;
	__u32 ihl;

	if ((void *)(ip + 1) > hook_end(ctx) || ip->version != 4)
		return false;
	ihl = ip->ihl * 4;
	if (ihl < sizeof(*ip) || bpf_ntohs(ip->frag_off) & IP_OFFSET)
		return false;
	q->l4 = q->ip + ihl;
	q->flow.src.w[0] = ip->daddr;
	q->flow.dst.w[0] = ip->saddr;
	q->flow.protocol = ip->protocol;
	q->flow.family = 4;
	return parse_quote_ports(ctx, p, q);
}

/* Extension headers in a quote are as rare as errors about fragments, and go to the stack. */
static __always_inline bool parse_quote6(HOOK_CONTEXT *ctx, const struct packet *p, struct quote *q)
{
	const struct ipv6hdr *ip = hook_data(ctx) + q->ip;

	if ((void *)(ip + 1) > hook_end(ctx) || ip->version != 6)
		return false;
	q->l4 = q->ip + sizeof(*ip);
	__builtin_memcpy(&q->flow.src, &ip->daddr, 16);
	__builtin_memcpy(&q->flow.dst, &ip->saddr, 16);
	q->flow.protocol = ip->nexthdr;
	q->flow.family = 6;
	return parse_quote_ports(ctx, p, q);
}

static __always_inline bool add_to_icmp_checksum(HOOK_CONTEXT *ctx, const struct packet *p, __u64 changes)
{
	__u16 *check = hook_data(ctx) + l4_of(p) + 2;

	if ((void *)(check + 1) > hook_end(ctx))
		return false;
	*check = update_checksum(*check, changes);
	return true;
}

/* The quoted ports become those of `to`; what that adds to the sum over them. */
static __always_inline bool rewrite_quoted_ports(HOOK_CONTEXT *ctx, const struct quote *q, const struct flow *to, __u64 *changes)
{
	__u32 *ports = hook_data(ctx) + q->l4;

	if ((void *)(ports + 1) > hook_end(ctx))
		return false;
	*changes += change(ports_word(q->flow.dport, q->flow.sport), ports_word(to->sport, to->dport));
	*ports = ports_word(to->sport, to->dport);
	return true;
}

/*
 * The quoted flow becomes `to`; the outer addresses become `src` and `dst`. Checksums: quoted IP header, ICMP (whose sum
 * covers the quote), outer IP header. The quoted transport checksum is left alone, as the kernel does.
 */
static __always_inline bool rewrite_error4(HOOK_CONTEXT *ctx, const struct packet *p, const struct quote *q, const struct flow *to, const struct addr *src,
					   const struct addr *dst)
{
	struct iphdr *ip = hook_data(ctx) + ETH_LEN, *inner = hook_data(ctx) + q->ip;
	__u64 quoted = addr_change(&q->flow.dst, &to->src, 4) + addr_change(&q->flow.src, &to->dst, 4);
	__u64 changes = quoted;
	__u16 old_check;

	if ((void *)(ip + 1) > hook_end(ctx) || (void *)(inner + 1) > hook_end(ctx))
		return false;
	ip->check = update_checksum(ip->check, change(ip->saddr, src->w[0]) + change(ip->daddr, dst->w[0]));
	ip->saddr = src->w[0];
	ip->daddr = dst->w[0];
	old_check = inner->check;
	inner->saddr = to->src.w[0];
	inner->daddr = to->dst.w[0];
	inner->check = update_checksum(old_check, quoted);
	changes += change(old_check, inner->check);
	return rewrite_quoted_ports(ctx, q, to, &changes) && add_to_icmp_checksum(ctx, p, changes);
}

/* ICMPv6 sums a pseudo header too; IPv6 itself has no checksum. */
static __always_inline bool rewrite_error6(HOOK_CONTEXT *ctx, const struct packet *p, const struct quote *q, const struct flow *to, const struct addr *src,
					   const struct addr *dst)
{
	struct ipv6hdr *ip = hook_data(ctx) + ETH_LEN, *inner = hook_data(ctx) + q->ip;
	__u64 changes = addr_change(&q->flow.dst, &to->src, 6) + addr_change(&q->flow.src, &to->dst, 6) +
			addr_change(&p->flow.src, src, 6) + addr_change(&p->flow.dst, dst, 6);

	if ((void *)(ip + 1) > hook_end(ctx) || (void *)(inner + 1) > hook_end(ctx))
		return false;
	copy_addr(&ip->saddr, src);
	copy_addr(&ip->daddr, dst);
	copy_addr(&inner->saddr, &to->src);
	copy_addr(&inner->daddr, &to->dst);
	return rewrite_quoted_ports(ctx, q, to, &changes) && add_to_icmp_checksum(ctx, p, changes);
}

static __always_inline bool rewrite_error(HOOK_CONTEXT *ctx, const struct packet *p, const struct quote *q, const struct flow *to, const struct addr *src,
					  const struct addr *dst)
{
	return p->flow.family == 4 ? rewrite_error4(ctx, p, q, to, src, dst) : rewrite_error6(ctx, p, q, to, src, dst);
}

/* Over the whole message, and for ICMPv6 the pseudo header. */
static __always_inline bool is_icmp_sum_right(HOOK_CONTEXT *ctx, const struct packet *p)
{
	__u32 bytes = p->len - (l4_of(p) - ETH_LEN);
	__u64 sum = sum_packet(ctx, l4_of(p), bytes);

	if (p->flow.family == 6) {
		sum += bpf_htonl(bytes) + bpf_htonl(IPPROTO_ICMPV6);
#pragma clang loop unroll(full)
		for (int i = 0; i < 4; i++)
			sum += (__u64)p->flow.src.w[i] + p->flow.dst.w[i];
	}
	return fold(sum) == 0xffff;
}

/* What an error about one of our tunnels says. */
struct tunnel_quote {
	__be32 dest;            /* the outer header was for it */
	__u32 inner;            /* offset of the request in the frame */
	__u32 mtu;              /* as reported */
	__u8 type, code;
	__u8 df;                /* of the request */
};

/* Only the headers that tunnel.h writes are known. On success q->flow is the request's own. */
static __always_inline bool parse_tunnel_quote(HOOK_CONTEXT *ctx, const struct packet *p, struct quote *q, struct tunnel_quote *t)
{
	const struct icmp_header *icmp = hook_data(ctx) + l4_of(p);
	const struct iphdr *outer = (const void *)(icmp + 1), *inner;
	const struct ports *ports;
	const __u8 *shim = (const void *)(outer + 1);
	__u32 skip = sizeof(*outer);

	if ((void *)(shim + 8) > hook_end(ctx) || outer->version != 4 || outer->ihl != 5)
		return false;
	switch (outer->protocol) {
	case IPPROTO_IPIP:
		break;
	case IPPROTO_UDP:
		skip += sizeof(struct udphdr) + GUE_HEADER;
		break;
	case IPPROTO_GRE:
		skip += shim[0] & 0x80 ? 8 : 4;
		break;
	default:
		return false;
	}
	t->dest = outer->daddr;
	t->type = icmp->type;
	t->code = icmp->code;
	t->mtu = bpf_ntohl(icmp->rest) & 0xffff;
	t->inner = l4_of(p) + ICMP_HEADER + skip;
	inner = hook_data(ctx) + t->inner;
	if ((void *)(inner + 1) > hook_end(ctx) || inner->version != 4 || inner->ihl != 5)
		return false;
	t->df = (bpf_ntohs(inner->frag_off) & IP_DF) != 0;
	ports = (const void *)(inner + 1);
	if ((void *)(ports + 1) > hook_end(ctx) || t->inner + sizeof(*inner) + 8 > ETH_LEN + p->len)
		return false;
	q->flow.src.w[0] = inner->saddr;
	q->flow.dst.w[0] = inner->daddr;
	q->flow.sport = ports->source;
	q->flow.dport = ports->dest;
	q->flow.protocol = inner->protocol;
	q->flow.family = 4;
	return true;
}

#define ICMP6_TOO_BIG 2
#define IPV6_MTU_MIN 1280

/* The flow of a request that stands at `at`, of either family, without options or extension headers. */
static __always_inline bool read_inner_flow(HOOK_CONTEXT *ctx, __u32 at, struct flow *f)
{
	const struct ipv6hdr *ip6 = hook_data(ctx) + at;
	const struct iphdr *ip = (const void *)ip6;
	const struct ports *ports;

	if ((void *)(ip + 1) > hook_end(ctx))
		return false;
	if (ip->version == 4 && ip->ihl == 5) {
		f->src.w[0] = ip->saddr;
		f->dst.w[0] = ip->daddr;
		f->protocol = ip->protocol;
		f->family = 4;
		ports = (const void *)(ip + 1);
	} else {
		if ((void *)(ip6 + 1) > hook_end(ctx) || ip6->version != 6)
			return false;
		__builtin_memcpy(&f->src, &ip6->saddr, 16);
		__builtin_memcpy(&f->dst, &ip6->daddr, 16);
		f->protocol = ip6->nexthdr;
		f->family = 6;
		ports = (const void *)(ip6 + 1);
	}
	if ((void *)(ports + 1) > hook_end(ctx))
		return false;
	f->sport = ports->source;
	f->dport = ports->dest;
	return true;
}

/* The frame becomes an error about the request: what stood between our headers and it is cut out. */
static __always_inline bool relay_error(HOOK_CONTEXT *ctx, const struct packet *p, const struct tunnel_quote *t, __u32 mtu)
{
	__u32 quoted = ETH_LEN + p->len - t->inner;
	__u32 cut = t->inner - (ETH_LEN + sizeof(struct iphdr) + ICMP_HEADER);
	struct icmp_header *icmp;
	struct iphdr *ip, *inner;
	const __u32 *w;

	if (!hook_shrink(ctx, cut))
		return false;
	ip = hook_data(ctx) + ETH_LEN;
	icmp = (void *)(ip + 1);
	inner = (void *)(icmp + 1);
	if ((void *)(inner + 1) > hook_end(ctx))
		return false;
	icmp->type = t->type;
	icmp->code = t->code;
	icmp->checksum = 0;
	icmp->rest = bpf_htonl(mtu);
	icmp->checksum = ~fold(sum_packet(ctx, ETH_LEN + sizeof(*ip), ICMP_HEADER + quoted));
	*(__u32 *)ip = 0x45 | ((inner->tos & 0x1e) | 0xc0u) << 8 | (__u32)bpf_htons(sizeof(*ip) + ICMP_HEADER + quoted) << 16;
	*((__u32 *)ip + 1) = bpf_get_prandom_u32() & 0xffff;
	ip->ttl = 64;
	ip->protocol = IPPROTO_ICMP;
	ip->check = 0;
	ip->saddr = inner->daddr;
	ip->daddr = inner->saddr;
	w = (const void *)ip;
	ip->check = ~fold((__u64)w[0] + w[1] + w[2] + w[3] + w[4]);
	return true;
}
