/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * The pipeline, read from bottom to top.
 *
 *   frame - parse - find conn -+- hit ------------------------------- account - track - forward - out
 *                              +- miss - service - may open? - schedule - new conn -+
 *           ICMP errors: parse the packet inside, find its conn, rewrite both
 */
#pragma once

#include "parse.h"
#include "open.h"
#include "rewrite.h"
#include "tunnel.h"
#include "toa.h"
#include "icmp_send.h"
#include "icmp_related.h"
#include "fragment.h"

#define STAGE(stage) do { enum verdict v = stage; if (v != V_NEXT) return v; } while (0)

/* --- towards the client ------------------------------------------------------------------------------------------ */

/* The client's next hop, looked up when routes have changed since, which includes never. */
static __noinline bool refresh_client_hop(HOOK_CONTEXT *ctx, __u32 ifindex, struct conn *c, __u32 generation)
{
	struct bpf_fib_lookup fib = { .l4_protocol = c->in.protocol, .ifindex = ifindex };

	if (c->in.family == 4) {
		fib.family = 2; /* AF_INET */
		fib.ipv4_src = c->in.dst.w[0];
		fib.ipv4_dst = c->in.src.w[0];
	} else {
		fib.family = 10; /* AF_INET6 */
		copy_addr(fib.ipv6_src, &c->in.dst);
		copy_addr(fib.ipv6_dst, &c->in.src);
	}
	if (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return false;
	__builtin_memcpy(c->hop.dmac, fib.dmac, 6);
	__builtin_memcpy(c->hop.smac, fib.smac, 6);
	c->hop.ifindex = fib.ifindex;
	c->hop.generation = generation;
	return true;
}

static __always_inline enum verdict send_to_client(HOOK_CONTEXT *ctx, struct packet *p, struct settings *set, struct conn *c,
						    enum exit_reason reason)
{
	if (unlikely(c->hop.generation != set->generation) && !refresh_client_hop(ctx, p->ifindex, c, set->generation))
		return leave(p, EXIT_REPLY_SLOW, V_PASS);
	if (!decrement_ttl(ctx, p))
		return leave(p, EXIT_BUG, V_DROP);
	return send_to(ctx, p, &c->hop, p->flow.family, reason);
}

static __always_inline void count_in(struct packet *p, const struct conn *c)
{
	struct counters *n = counters_of(p, c->dest);

	if (likely(n)) {
		n->in_pkts++;
		n->in_bytes += p->len;
	}
}

static __always_inline void count_out(struct packet *p, const struct conn *c)
{
	struct counters *n = counters_of(p, c->dest);

	if (likely(n)) {
		n->out_pkts++;
		n->out_bytes += p->len;
	}
}

/* A dest's answer: its source becomes the service's address again. */
static __always_inline enum verdict reply(HOOK_CONTEXT *ctx, struct packet *p, struct settings *set, struct conn *c, struct dest *d)
{
	if (p->ttl <= 1)
		return leave(p, EXIT_TTL, V_PASS);  /* untouched: the stack tells the dest */
	if (likely(is_available(d)))
		count_out(p, c);
	track(p, set, c, d);
	note_server_isn(ctx, p, c);
	if (!rewrite(ctx, p, &c->in))
		return leave(p, EXIT_TRUNCATED, V_DROP);
	return send_to_client(ctx, p, set, c, c->method == METHOD_FULLNAT ? EXIT_FULLNAT_REPLY : EXIT_NAT_REPLY);
}

/* --- towards the dest ---------------------------------------------------------------------------------------------- */

static __always_inline enum verdict forward_nat(HOOK_CONTEXT *ctx, struct packet *p, struct conn *c, struct dest *d)
{
	bool toa = c->flags & CONN_TOA && wants_toa(ctx, p, c, d);

	if (!rewrite(ctx, p, &c->out) || (toa && !push_toa(ctx, p, c)))
		return leave(p, EXIT_TRUNCATED, V_DROP);
	if (d->hop.generation == HOP_LOCAL)
		return leave(p, EXIT_LOCAL, V_PASS);
	return send_to(ctx, p, &d->hop, p->flow.family, c->method == METHOD_FULLNAT ? EXIT_FULLNAT : EXIT_NAT);
}

static __always_inline enum verdict forward_tunnel(HOOK_CONTEXT *ctx, struct packet *p, struct dest *d)
{
	if (!push_tunnel(ctx, p, d))
		return leave(p, EXIT_NO_ROOM, V_DROP);
	return send_to(ctx, p, &d->hop, d->family, EXIT_TUNNEL);
}

/* No way to the dest. */
static __always_inline enum verdict no_hop(HOOK_CONTEXT *ctx, struct packet *p, const struct dest *d)
{
	if (d->hop.generation == HOP_UNREACHABLE)
		return refuse(ctx, p, TROUBLE_HOST, 0, EXIT_UNREACHABLE, EXIT_UNREACHABLE);
	return leave(p, EXIT_HOP_UNRESOLVED, V_DROP);
}

/* TTL, next hop and path MTU, then by the conn's method. */
static __always_inline enum verdict forward(HOOK_CONTEXT *ctx, struct packet *p, struct settings *set, struct conn *c, struct dest *d)
{
	if (unlikely(c->method == METHOD_BYPASS))
		return leave(p, EXIT_BYPASS, V_PASS); /* the stack takes it to its own destination */
	if (unlikely(d->hop.generation == HOP_LOCAL))
		return c->method == METHOD_NAT ? forward_nat(ctx, p, c, d) : leave(p, EXIT_LOCAL, V_PASS);
	if (unlikely(p->ttl <= 1))
		return refuse(ctx, p, TROUBLE_TTL, 0, EXIT_TTL, EXIT_TTL);
	if (unlikely(d->hop.generation != HOP_RESOLVED))
		return no_hop(ctx, p, d);
	if (!decrement_ttl(ctx, p))
		return leave(p, EXIT_BUG, V_DROP);

	if (c->method == METHOD_TUNNEL) {
		__u32 room = d->mtu - tunnel_overhead(d);

		if (unlikely(p->wire_len > room))
			return refuse(ctx, p, TROUBLE_TOO_BIG, room, EXIT_TOO_BIG, EXIT_TOO_BIG_QUIET);
		return forward_tunnel(ctx, p, d);
	}
	if (unlikely(p->wire_len > d->mtu))
		return refuse(ctx, p, TROUBLE_TOO_BIG, d->mtu, EXIT_TOO_BIG, EXIT_TOO_BIG_QUIET);
	if (c->method == METHOD_ROUTE)
		return send_to(ctx, p, &d->hop, p->flow.family, EXIT_ROUTE);
	if (c->method == METHOD_NAT || c->method == METHOD_FULLNAT)
		return forward_nat(ctx, p, c, d);
	return leave(p, EXIT_LOCAL, V_PASS);
}

/* A client's packet of a known conn (spec 5.2 steps 11 to 14). */
static __always_inline enum verdict request(HOOK_CONTEXT *ctx, struct packet *p, struct settings *set, struct conn *c, struct dest *d)
{
	count_in(p, c); /* of NO_DEST, too: nobody reads that */
	track(p, set, c, d);
	c->in_pkts++;
	return forward(ctx, p, set, c, d);
}

/* --- conns that are not what they were (spec 5.2 steps 8 and 9) -------------------------------------------------------- */

/* A SYN on an old conn: may it be a new one? */
static __always_inline bool is_reopened(const struct packet *p, const struct settings *set, const struct conn *c, const struct dest *d)
{
	bool tcp = p->flow.protocol == IPPROTO_TCP;

	if (p->flow.protocol == IPPROTO_UDP || p->fragment == LATER_FRAGMENT)
		return false;
	if (tcp ? !(p->tcp_flags & TCP_SYN_FLAG) : p->sctp_event != SCTP_E_INIT)
		return false;
	if (set->expire_nodest_conn && d->weight == 0)
		return true;
	if (!set->conn_reuse_mode || c->control)
		return false;
	if (!tcp)
		return c->state == SCTP_S_CLOSED;
	return c->state == TCP_S_TIME_WAIT || c->state == TCP_S_CLOSE ||
	       (set->conn_reuse_mode & 2 && c->state == TCP_S_FIN_WAIT && c->flags & CONN_NOOUTPUT);
}

static __always_inline void end_old(const struct packet *p, struct conn *c, __u32 slot)
{
	if (c->n_control == 0)
		end_conn(slot, p->now, true);
	else
		c->expires = p->now; /* its children keep it; packets do not find it */
}

/* Is the conn one that this request may not use? V_NEXT: it may, or has none any more (m->conn is 0). */
static __always_inline enum verdict check_conn(struct packet *p, const struct settings *set, struct match *m, const struct dest *d)
{
	bool gone = !is_available(d) && m->conn->dest != NO_DEST;

	bool reopened = is_reopened(p, set, m->conn, d);

	if (likely(!gone && !reopened))
		return V_NEXT;
	if (!reopened && !set->expire_nodest_conn)
		return leave(p, EXIT_DEST_GONE, V_DROP);
	end_old(p, m->conn, m->slot);
	m->conn = 0;
	return V_NEXT;
}

/* --- the pipeline --------------------------------------------------------------------------------------------------- */

/* The verdict for a packet that opened no conn. */
static __always_inline enum verdict not_opened(HOOK_CONTEXT *ctx, struct packet *p, int reason)
{
	if (reason == EXIT_NO_DEST)
		return refuse(ctx, p, TROUBLE_PORT, 0, EXIT_NO_DEST, EXIT_NO_DEST_QUIET);
	if (reason == EXIT_NAT_ICMP_SEND)
		return refuse(ctx, p, TROUBLE_PORT, 0, EXIT_NAT_ICMP_SEND, EXIT_NAT_ICMP_SEND);
	if (reason == EXIT_NO_SERVICE || reason == EXIT_NOT_SCHEDULED)
		return leave(p, reason, V_PASS);
	return leave(p, reason & (EXIT_ROW - 1), V_DROP);
}

/* IPv6 looks four times as many words up: a function of its own keeps the way of IPv4 short. */
__noinline int find_conn6(const struct flow *f, __u32 now, struct match *m)
{
	struct settings *set = settings_of();
	struct match found = {};

	if (!f || !m || !set || !find_conn(&found, set, f, now, 6))
		return false;
	m->slot = found.slot;
	m->direction = found.direction;
	return true;
}

static __always_inline bool find(struct match *m, struct settings *set, const struct packet *p)
{
	if (likely(p->flow.family == 4))
		return find_conn(m, set, &p->flow, p->now, 4);
	if (!find_conn6(&p->flow, p->now, m))
		return false;
	m->conn = conn_at(m->slot);
	return m->conn;
}

/* The packet's conn, found or opened, and on. */
static __always_inline enum verdict lookup_and_forward(HOOK_CONTEXT *ctx, struct packet *p, struct settings *set, bool may_be_new)
{
	struct match m = {};
	struct dest *d = 0;

	if (likely(find(&m, set, p))) {
		d = dest_at(m.conn->dest);
		if (!d)
			return leave(p, EXIT_BUG, V_DROP);
		p->slot = m.slot;
		p->direction = m.direction;
		if (m.direction == DIR_OUT)
			return reply(ctx, p, set, m.conn, d);
		STAGE(check_conn(p, set, &m, d));
	} else {
		m.conn = 0;
	}
	if (unlikely(!m.conn)) {
		int result = may_be_new ? open_conn(p) : EXIT_NOT_SCHEDULED;

		if (result != BORN)
			return not_opened(ctx, p, result);
		m.conn = conn_at(p->slot);
		d = m.conn ? dest_at(m.conn->dest) : 0;
	}
	if (!m.conn || !d)
		return leave(p, EXIT_BUG, V_DROP);
	return request(ctx, p, set, m.conn, d);
}

/* The transport header, or for a later fragment what its first one showed. */
static __always_inline enum verdict read_transport(HOOK_CONTEXT *ctx, struct packet *p)
{
	if (unlikely(p->fragment == LATER_FRAGMENT))
		return recall_fragment(p) ? V_NEXT : leave(p, EXIT_FRAGMENT_UNKNOWN, V_PASS);
	STAGE(parse_transport(ctx, p, p->len - (p->l4 - ETH_LEN)));
	if (unlikely(p->fragment == FIRST_FRAGMENT))
		remember_fragment(p);
	return V_NEXT;
}

/* --- ICMP errors ---------------------------------------------------------------------------------------------------- */

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
	if (unlikely(m.conn->hop.generation != set->generation) && !refresh_client_hop(ctx, p->ifindex, m.conn, set->generation))
		return leave(p, EXIT_REPLY_SLOW, V_PASS);
	return send_to(ctx, p, &m.conn->hop, 4, EXIT_ICMP_RELATED);
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
		return four ? V_TUNNEL_ERROR : leave(p, EXIT_ICMP, V_PASS);
	if (!(four ? find_conn(&m, set, &q.flow, p->now, 4) : find_conn(&m, set, &q.flow, p->now, 6)))
		return four ? V_TUNNEL_ERROR : leave(p, EXIT_ICMP, V_PASS);
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
		return send_to_client(ctx, p, set, c, EXIT_ICMP_RELATED);
	if (!decrement_ttl(ctx, p))
		return leave(p, EXIT_BUG, V_DROP);
	if (c->method != METHOD_TUNNEL)
		return send_to(ctx, p, &d->hop, p->flow.family, EXIT_ICMP_RELATED);
	if (!push_tunnel(ctx, p, d))
		return leave(p, EXIT_NO_ROOM, V_DROP);
	return send_to(ctx, p, &d->hop, d->family, EXIT_ICMP_RELATED);
}

static __always_inline enum verdict icmp(HOOK_CONTEXT *ctx, struct packet *p, struct settings *set)
{
	int result = icmp_error(ctx, p);

	if (result == V_TUNNEL_ERROR)
		return tunnel_error(ctx, p);
	if (result == V_TO_CLIENT || result == V_TO_DEST)
		return send_error(ctx, p, set, result == V_TO_CLIENT);
	return result;
}

/* --- the way in ------------------------------------------------------------------------------------------------------- */

static __always_inline bool has_ports(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

#define ISAKMP_PORT 500

/* AH and ESP follow the conn of their key exchange and never open one (spec 4.2); NAT rewrites the addresses only. */
static __always_inline void follow_key_exchange(struct packet *p)
{
	p->flow.protocol = IPPROTO_UDP;
	p->flow.sport = bpf_htons(ISAKMP_PORT);
	p->flow.dport = bpf_htons(ISAKMP_PORT);
	p->fragment = LATER_FRAGMENT;
}

static __always_inline enum verdict lvs_ip(HOOK_CONTEXT *ctx, struct packet *p, struct settings *set)
{
	bool has_transport = has_ports(p->flow.protocol);

	if (p->flow.protocol == IPPROTO_ICMP || p->flow.protocol == IPPROTO_ICMPV6)
		return icmp(ctx, p, set);
	if (likely(has_transport))
		STAGE(read_transport(ctx, p));
	else if (p->flow.protocol == IPPROTO_ESP || p->flow.protocol == IPPROTO_AH)
		follow_key_exchange(p);
	else
		return leave(p, EXIT_PROTOCOL, V_PASS);
	return lookup_and_forward(ctx, p, set, has_transport);
}

/* Ethernet and IP; V_NEXT: the packet is IP. */
static __always_inline enum verdict enter(HOOK_CONTEXT *ctx, struct packet *p, const struct settings *set)
{
	const struct ethhdr *eth;

	p->ifindex = hook_begin(ctx);
	p->now = (__u32)bpf_jiffies64() + set->clock_offset;
	eth = hook_data(ctx);
	if ((void *)(eth + 1) > hook_end(ctx))
		return leave(p, EXIT_MALFORMED, V_PASS);
	if (unlikely(!is_for_host(p, eth)))
		return leave(p, EXIT_NOT_HOST, V_PASS);
	if (likely(eth->h_proto == bpf_htons(ETH_P_IP)))
		return parse4(ctx, p);
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		return parse6(ctx, p);
	return leave(p, EXIT_NOT_IP, V_PASS);
}

static __always_inline enum verdict lvs(HOOK_CONTEXT *ctx, struct packet *p)
{
	struct settings *set = settings_of();

	p->cpu = bpf_get_smp_processor_id();
	if (!set)
		return leave(p, EXIT_BUG, V_PASS);
	STAGE(enter(ctx, p, set));
	return lvs_ip(ctx, p, set);
}
