/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* ICMP errors about conns and about tunnels: what they are about, who is to hear of it, and on (spec 5.7). */
#pragma once

#include "icmp_related.h"
#include "reply.h"
#include "request.h"

/* From the dest's side, about a request: on to the client. */
static __always_inline enum verdict error_to_client(HOOK_CONTEXT *ctx, struct packet *p, const struct quote *q, const struct conn *c,
						     const struct dest *d)
{
	if (is_available(d))
		count_out(p, c);
	return rewrite_error(ctx, p, q, &c->in, &c->in.dst, &c->in.src) ? V_TO_CLIENT : leave(p, EXIT_BUG, V_DROP);
}

/* From the client's side, about a reply: on to the dest, the way its requests go. */
static __always_inline enum verdict error_to_dest(HOOK_CONTEXT *ctx, struct packet *p, const struct quote *q, struct conn *c,
						   const struct dest *d)
{
	if (is_available(d))
		count_in(p, c);
	c->in_pkts++;
	if (d->hop.generation == HOP_LOCAL)
		return leave(p, EXIT_LOCAL, V_PASS);
	if (d->hop.generation != HOP_RESOLVED)
		return leave(p, EXIT_HOP_UNRESOLVED, V_DROP);
	if (has_out_flow(c) && !rewrite_error(ctx, p, q, &c->out, &p->flow.src, &c->out.src))
		return leave(p, EXIT_BUG, V_DROP);
	return V_TO_DEST;
}

/* Types that speak of a packet that did not arrive; all others are not about conns (spec 5.7). */
static __always_inline bool is_error(const struct icmp_header *icmp, int family)
{
	if (family == 6)
		return icmp->type < 128;
	return icmp->type == ICMP_UNREACHABLE || icmp->type == ICMP_SOURCE_QUENCH || icmp->type == ICMP_TIME;
}

/*
 * An error about a packet in one of our tunnels: the quote's outer header is ours, inside is a request (spec 5.7). Its client
 * is told the same about the request itself; that a path is narrow is remembered for the dest.
 */
__noinline int tunnel_error(HOOK_CONTEXT *ctx, struct packet *p)
{
	struct settings *set = settings_of();
	struct tunnel_quote t = {};
	struct quote q = {};
	struct match m;
	struct dest *d;
	__u32 mtu = 0;

	if (!p || !set)
		return V_DROP;
	if (!parse_tunnel_quote(ctx, p, &q, &t) || !find_conn(&m, set, &q.flow, p->now, 4))
		return leave(p, EXIT_ICMP, V_PASS);
	d = dest_at(m.conn->dest);
	if (!d || m.direction != DIR_IN || m.conn->method != METHOD_TUNNEL || d->addr.w[0] != t.dest)
		return leave(p, EXIT_ICMP, V_PASS);
	if (!is_icmp_sum_right(ctx, p))
		return leave(p, EXIT_ICMP_CHECKSUM, V_DROP);
	if (t.type == ICMP_UNREACHABLE && t.code == 4) {
		if (t.mtu >= 68 + tunnel_overhead(d) && t.mtu < d->mtu)
			d->mtu = t.mtu;
		if (!t.df)
			return leave(p, EXIT_ICMP_SWALLOWED, V_DROP);
		mtu = d->mtu - tunnel_overhead(d);
	}
	if (!relay_error(ctx, p, &t, mtu))
		return leave(p, EXIT_ICMP_SWALLOWED, V_DROP);
	if (is_available(d))
		count_out(p, m.conn);
	if (!knows_client_hop(ctx, p, set, m.conn))
		return leave(p, EXIT_REPLY_SLOW, V_PASS);
	return send_to(ctx, p, &m.conn->hop, 4, EXIT_ICMP_RELATED);
}

/*
 * A tunnel over IPv6 met a narrower link (packet too big, RFC 4443 3.2): remembered for the dest, so that the next packet that is
 * too large is refused to its client at once. The error itself is the stack's. The quote is taken as tunnel.h writes it.
 */
__noinline int learn_path_mtu6(HOOK_CONTEXT *ctx, struct packet *p)
{
	const struct icmp_header *icmp;
	const struct ipv6hdr *outer;
	const __u8 *shim;
	struct settings *set = settings_of();
	struct flow f = {};
	struct match m;
	struct dest *d;
	struct addr to;
	__u32 at, mtu;

	if (!p || !set)
		return V_PASS;
	icmp = hook_data(ctx) + l4_of(p);
	outer = (const void *)(icmp + 1);
	shim = (const void *)(outer + 1);
	if ((void *)(shim + 12) > hook_end(ctx) || icmp->type != ICMP6_TOO_BIG)
		return leave(p, EXIT_ICMP, V_PASS);
	mtu = bpf_ntohl(icmp->rest);
	__builtin_memcpy(&to, &outer->daddr, 16);
	at = l4_of(p) + ICMP_HEADER + sizeof(*outer);
	if (outer->nexthdr == IPPROTO_UDP)
		at += sizeof(struct udphdr) + GUE_HEADER;
	else if (outer->nexthdr == IPPROTO_GRE)
		at += shim[0] & 0x80 ? 8 : 4;
	if (!read_inner_flow(ctx, at, &f) || !(f.family == 4 ? find_conn(&m, set, &f, p->now, 4) : find_conn(&m, set, &f, p->now, 6)))
		return leave(p, EXIT_ICMP, V_PASS);
	d = dest_at(m.conn->dest);
	if (d && m.direction == DIR_IN && m.conn->method == METHOD_TUNNEL && same_addr(&d->addr, &to, 6) && mtu >= IPV6_MTU_MIN &&
	    mtu < d->mtu)
		d->mtu = mtu;
	return leave(p, EXIT_ICMP, V_PASS);
}

/* What the quote of an ICMP error is about, and the rewrite it asks for. */
__noinline int icmp_error(HOOK_CONTEXT *ctx, struct packet *p)
{
	const struct icmp_header *icmp;
	struct settings *set = settings_of();
	struct quote q = {};
	struct match m;
	struct dest *d;
	bool four;

	if (!p || !set)
		return V_DROP;
	four = p->flow.family == 4;
	if (four != (p->flow.protocol == IPPROTO_ICMP))
		return leave(p, EXIT_PROTOCOL, V_PASS);
	icmp = hook_data(ctx) + l4_of(p);
	q.ip = l4_of(p) + ICMP_HEADER;
	if ((void *)(icmp + 1) > hook_end(ctx) || p->fragment != WHOLE || !is_error(icmp, p->flow.family))
		return leave(p, EXIT_ICMP, V_PASS);
	if (!(four ? parse_quote4(ctx, p, &q) : parse_quote6(ctx, p, &q)))
		return V_TUNNEL_ERROR;
	if (!(four ? find_conn(&m, set, &q.flow, p->now, 4) : find_conn(&m, set, &q.flow, p->now, 6)))
		return V_TUNNEL_ERROR;
	d = dest_at(m.conn->dest);
	if (!d)
		return leave(p, EXIT_BUG, V_DROP);
	if (has_out_flow(m.conn) && !is_icmp_sum_right(ctx, p))
		return leave(p, EXIT_ICMP_CHECKSUM, V_DROP);
	if (p->ttl <= 1)
		return leave(p, EXIT_TTL, V_PASS); /* untouched: the stack tells nobody, as it is an error itself */
	p->slot = m.slot;
	return m.direction == DIR_OUT ? error_to_client(ctx, p, &q, m.conn, d) : error_to_dest(ctx, p, &q, m.conn, d);
}

/* A rewritten error goes on. */
static __always_inline enum verdict send_error(HOOK_CONTEXT *ctx, struct packet *p, struct settings *set, bool to_client)
{
	struct conn *c = conn_at(p->slot);
	struct dest *d = c ? dest_at(c->dest) : 0;

	if (!c || !d)
		return leave(p, EXIT_BUG, V_DROP);
	if (to_client)
		return send_to_client(ctx, p, c, knows_client_hop(ctx, p, set, c), EXIT_ICMP_RELATED);
	if (!decrement_ttl(ctx, p))
		return leave(p, EXIT_BUG, V_DROP);
	if (c->method != METHOD_TUNNEL)
		return send_to(ctx, p, &d->hop, p->flow.family, EXIT_ICMP_RELATED);
	if (!push_tunnel(ctx, p, d))
		return leave(p, EXIT_NO_ROOM, V_DROP);
	return send_to(ctx, p, &d->hop, d->family, EXIT_ICMP_RELATED);
}

/* The packet speaks of the request that the quote would have answered: a SYN, as far as opening a conn goes. */
__noinline int become_quoted(HOOK_CONTEXT *ctx, struct packet *p)
{
	struct quote q = {};

	if (!p)
		return false;
	q.ip = l4_of(p) + ICMP_HEADER;
	if (!(p->flow.family == 4 ? parse_quote4(ctx, p, &q) : parse_quote6(ctx, p, &q)))
		return false;
	p->flow = q.flow;
	p->tcp_flags = TCP_SYN_FLAG;
	p->sctp_event = SCTP_E_INIT;
	return true;
}

/* And of itself again. */
__noinline int become_itself(HOOK_CONTEXT *ctx, struct packet *p)
{
	const struct iphdr *ip = hook_data(ctx) + ETH_LEN;
	const struct ipv6hdr *ip6 = (const void *)ip;

	if (!p || (void *)(ip + 1) > hook_end(ctx))
		return false;
	p->flow.sport = 0;
	p->flow.dport = 0;
	p->stray = 0;
	if (p->flow.family == 4) {
		p->flow.protocol = IPPROTO_ICMP;
		p->flow.src.w[0] = ip->saddr;
		p->flow.dst.w[0] = ip->daddr;
		return true;
	}
	if ((void *)(ip6 + 1) > hook_end(ctx))
		return false;
	p->flow.protocol = IPPROTO_ICMPV6;
	__builtin_memcpy(&p->flow.src, &ip6->saddr, 16);
	__builtin_memcpy(&p->flow.dst, &ip6->daddr, 16);
	return true;
}

/* schedule_icmp: an error about an answer that we know nothing of opens a conn for its request, in state NONE (spec 5.7). */
static __always_inline int open_for_error(HOOK_CONTEXT *ctx, struct packet *p)
{
	int result = become_quoted(ctx, p) ? open_conn(p) : EXIT_NO_SERVICE;

	return become_itself(ctx, p) ? result : EXIT_BUG;
}

static __always_inline enum verdict icmp(HOOK_CONTEXT *ctx, struct packet *p, struct settings *set)
{
	int result = icmp_error(ctx, p);

	if (result == V_TUNNEL_ERROR && unlikely(set->schedule_icmp)) {
		int opened = open_for_error(ctx, p);

		if (opened == BORN)
			result = icmp_error(ctx, p);
		else if (opened == EXIT_NO_DEST)
			return leave(p, EXIT_NO_DEST_QUIET, V_DROP); /* nobody is told by an error about an error */
		else if (opened != EXIT_NO_SERVICE && opened != EXIT_NAT_ICMP_SEND && opened != EXIT_NOT_SCHEDULED)
			return leave(p, opened & (EXIT_ROW - 1), V_DROP);
	}
	if (result == V_TUNNEL_ERROR)
		return p->flow.family == 4 ? tunnel_error(ctx, p) : learn_path_mtu6(ctx, p);
	if (result == V_TO_CLIENT || result == V_TO_DEST)
		return send_error(ctx, p, set, result == V_TO_CLIENT);
	return result;
}
