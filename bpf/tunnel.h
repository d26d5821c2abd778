/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * TUN: an outer header in front, the packet inside as it is (spec 5.5). Outer and inner family are independent.
 *
 *   ipip   outer IP | packet                                   RFC 2003, 2473, 4213
 *   gre    outer IP | GRE, 4 bytes, 8 with checksum | packet    RFC 2784
 *   gue    outer IP | UDP | GUE, 4 bytes | packet               draft-ietf-intarea-gue
 */
#pragma once

#include "icmp_send.h"

enum tunnel_type { TUNNEL_IPIP, TUNNEL_GUE, TUNNEL_GRE };
enum tunnel_checksum { TUNNEL_NOCSUM, TUNNEL_CSUM, TUNNEL_REMCSUM };

#define GUE_HEADER 4
#define GRE_CHECKSUM_PRESENT 0x8000
/* net.ipv4.ip_local_port_range */
#define PORT_FIRST 32768
#define PORT_COUNT 28232

static __always_inline __u32 shim_bytes(const struct dest *d)
{
	switch (d->tun_type) {
	case TUNNEL_GUE: return sizeof(struct udphdr) + GUE_HEADER;
	case TUNNEL_GRE: return d->tun_flags == TUNNEL_NOCSUM ? 4 : 8;
	default: return 0;
	}
}

/* Bytes a dest's packets grow by. */
static __always_inline __u32 tunnel_overhead(const struct dest *d)
{
	return (d->family == 6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr)) + shim_bytes(d);
}

/* RFC 6040: an inner CE must not be copied outward. */
static __always_inline __u8 outer_tos(__u8 inner)
{
	return (inner & 3) == 3 ? (inner & 0xfc) | 2 : inner;
}

/* What the outer header takes over from the inner one. */
struct outer {
	__u8 tos;
	__u8 ttl;               /* already decremented */
	__u8 protocol;
	__u8 df;
	__u16 id;
};

static __always_inline __u8 inner_protocol(int family)
{
	return family == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
}

static __always_inline bool read_inner(HOOK_CONTEXT *ctx, const struct packet *p, const struct dest *d, struct outer *o)
{
	const struct iphdr *ip = hook_data(ctx) + ETH_LEN;
	const struct ipv6hdr *ip6 = (const void *)ip;
	struct settings *set = settings_of();

	if (p->flow.family == 4) {
		if ((void *)(ip + 1) > hook_end(ctx) || !set)
			return false;
		o->tos = outer_tos(ip->tos);
		o->ttl = ip->ttl;
		o->df = p->df && set->pmtu_disc;
		o->id = ip->id;
	} else {
		if ((void *)(ip6 + 1) > hook_end(ctx))
			return false;
		o->tos = outer_tos(bpf_ntohl(*(const __u32 *)ip6) >> 20);
		o->ttl = ip6->hop_limit;
		o->df = 0;
		o->id = bpf_get_prandom_u32();
	}
	o->protocol = d->tun_type == TUNNEL_GUE ? IPPROTO_UDP : d->tun_type == TUNNEL_GRE ? IPPROTO_GRE : inner_protocol(p->flow.family);
	return true;
}

/* Outer IPv4 as five words in memory order. */
static __always_inline bool write_outer4(HOOK_CONTEXT *ctx, const struct dest *d, const struct outer *o, __u32 len)
{
	__u32 *word = hook_data(ctx) + ETH_LEN;
	__u32 w0 = 0x45 | (__u32)o->tos << 8 | (__u32)bpf_htons(len) << 16;
	__u32 w1 = (__u32)o->id | (o->df ? (__u32)bpf_htons(IP_DF) << 16 : 0);
	__u32 w2 = (__u32)o->ttl | (__u32)o->protocol << 8;

	if ((void *)(word + 5) > hook_end(ctx))
		return false;
	word[0] = w0;
	word[1] = w1;
	word[2] = w2 | (__u32)(__u16)~fold((__u64)w0 + w1 + w2 + d->source.w[0] + d->addr.w[0]) << 16;
	word[3] = d->source.w[0];
	word[4] = d->addr.w[0];
	return true;
}

static __always_inline bool write_outer6(HOOK_CONTEXT *ctx, const struct dest *d, const struct outer *o, __u32 payload)
{
	struct ipv6hdr *ip = hook_data(ctx) + ETH_LEN;

	if ((void *)(ip + 1) > hook_end(ctx))
		return false;
	*(__u32 *)ip = bpf_htonl(6u << 28 | (__u32)o->tos << 20);
	ip->payload_len = bpf_htons(payload);
	ip->nexthdr = o->protocol;
	ip->hop_limit = o->ttl;
	copy_addr(&ip->saddr, &d->source);
	copy_addr(&ip->daddr, &d->addr);
	return true;
}

/* The port says which flow it is, so that the way's load sharing keeps a flow together. */
static __always_inline __u16 flow_port(const struct packet *p)
{
	__u64 h = mix(mix(0, (__u64)p->flow.src.w[0] << 32 | p->flow.src.w[3]), flow_tail(&p->flow));

	return PORT_FIRST + (__u32)(h >> 32) % PORT_COUNT;
}

static __always_inline bool write_gue(HOOK_CONTEXT *ctx, const struct packet *p, const struct dest *d, __u32 at, __u32 payload)
{
	struct udphdr *udp = hook_data(ctx) + at;
	__u8 *gue = (void *)(udp + 1);
	__u64 sum = 0;

	if ((void *)(gue + GUE_HEADER) > hook_end(ctx))
		return false;
	udp->source = bpf_htons(flow_port(p));
	udp->dest = d->tun_port;
	udp->len = bpf_htons(payload);
	udp->check = 0;
	gue[0] = 0; /* version 0, data, no optional fields */
	gue[1] = inner_protocol(p->flow.family);
	gue[2] = 0;
	gue[3] = 0;
	if (d->tun_flags == TUNNEL_NOCSUM)
		return true;
	sum = sum_packet(ctx, at, payload) + bpf_htonl(payload) + bpf_htonl(IPPROTO_UDP);
#pragma clang loop unroll(full)
	for (int i = 0; i < 4; i++)
		sum += (__u64)d->source.w[i] + d->addr.w[i];
	udp = hook_data(ctx) + at;
	if ((void *)(udp + 1) > hook_end(ctx))
		return false;
	udp->check = ~fold(sum);
	if (udp->check == 0)
		udp->check = 0xffff;
	return true;
}

static __always_inline bool write_gre(HOOK_CONTEXT *ctx, const struct packet *p, const struct dest *d, __u32 at, __u32 payload)
{
	__u16 *gre = hook_data(ctx) + at;
	bool with_sum = d->tun_flags != TUNNEL_NOCSUM;
	__u64 sum;

	if ((void *)(gre + 2) > hook_end(ctx))
		return false;
	gre[0] = with_sum ? bpf_htons(GRE_CHECKSUM_PRESENT) : 0;
	gre[1] = ethertype_of(p->flow.family);
	if (!with_sum)
		return true;
	if ((void *)(gre + 4) > hook_end(ctx))
		return false;
	gre[2] = 0;
	gre[3] = 0;
	sum = sum_packet(ctx, at, payload);
	gre = hook_data(ctx) + at;
	if ((void *)(gre + 4) > hook_end(ctx))
		return false;
	gre[2] = ~fold(sum);
	return true;
}

/* The common case, IPv4 in IPv4, in line: the general function costs it 9 ns. */
static __always_inline bool is_plain_ipip(const struct packet *p, const struct dest *d)
{
	return d->tun_type == TUNNEL_IPIP && d->family == 4 && p->flow.family == 4;
}

static __always_inline bool push_plain_ipip(HOOK_CONTEXT *ctx, const struct packet *p, const struct settings *set, const struct dest *d)
{
	const struct iphdr *ip = hook_data(ctx) + ETH_LEN;
	struct outer o = { .protocol = IPPROTO_IPIP, .df = p->df && set->pmtu_disc };

	if ((void *)(ip + 1) > hook_end(ctx))
		return false;
	o.tos = outer_tos(ip->tos);
	o.ttl = p->ttl - 1;
	o.id = ip->id;
	return hook_grow(ctx, sizeof(struct iphdr), PUSH_IPIP, 4) && write_outer4(ctx, d, &o, p->len + sizeof(struct iphdr));
}

/* Wrap the packet up for its dest. Its TTL has been decremented. */
__noinline int push_tunnel(HOOK_CONTEXT *ctx, const struct packet *p, const struct dest *d)
{
	struct outer o = {};
	__u32 shim, at;

	if (!p || !d)
		return false;
	shim = shim_bytes(d);
	if (!read_inner(ctx, p, d, &o))
		return false;
	if (d->family == 4) {
		at = ETH_LEN + sizeof(struct iphdr);
		if (d->tun_type == TUNNEL_IPIP) {
			if (!hook_grow(ctx, sizeof(struct iphdr), PUSH_IPIP, 4))
				return false;
		} else if (!hook_grow(ctx, sizeof(struct iphdr) + shim, d->tun_type == TUNNEL_GUE ? PUSH_UDP : PUSH_GRE, 4)) {
			return false;
		}
		if (!write_outer4(ctx, d, &o, p->len + sizeof(struct iphdr) + shim))
			return false;
	} else {
		at = ETH_LEN + sizeof(struct ipv6hdr);
		if (!hook_grow(ctx, sizeof(struct ipv6hdr) + shim,
			       d->tun_type == TUNNEL_GUE ? PUSH_UDP : d->tun_type == TUNNEL_GRE ? PUSH_GRE : PUSH_IPIP, 6))
			return false;
		if (!write_outer6(ctx, d, &o, p->len + shim))
			return false;
	}
	if (d->tun_type == TUNNEL_GUE)
		return write_gue(ctx, p, d, at, p->len + shim);
	if (d->tun_type == TUNNEL_GRE)
		return write_gre(ctx, p, d, at, p->len + shim);
	return true;
}
