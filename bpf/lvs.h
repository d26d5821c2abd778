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
#include "fragment.h"
#include "open.h"
#include "request.h"
#include "reply.h"
#include "icmp.h"

#define STAGE(stage) do { enum verdict v = stage; if (v != V_NEXT) return v; } while (0)

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

static __always_inline bool is_reachable(const struct dest *d)
{
	return d && (d->hop.generation == HOP_RESOLVED || d->hop.generation == HOP_UNRESOLVED);
}

/* The verdict for a packet that opened no conn. */
static __always_inline enum verdict not_opened(HOOK_CONTEXT *ctx, struct packet *p, int reason)
{
	if (reason == EXIT_NO_DEST)
		return refuse(ctx, p, TROUBLE_PORT, 0, EXIT_NO_DEST, EXIT_NO_DEST_QUIET);
	if (reason == EXIT_NAT_ICMP_SEND) {
		/* it was only passing through, and is one hop further by now; from where no dest is reached, none has spoken */
		if (!is_reachable(dest_at(p->stray)) || p->ttl <= 1 || !decrement_ttl(ctx, p))
			return leave(p, EXIT_NAT_ICMP_SEND, V_DROP);
		return refuse(ctx, p, TROUBLE_PORT, 0, EXIT_NAT_ICMP_SEND, EXIT_NAT_ICMP_SEND);
	}
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

/* Is the packet for the director itself? Slow: for what is rare. */
static __noinline bool is_for_us(HOOK_CONTEXT *ctx, const struct packet *p)
{
	struct bpf_fib_lookup fib = { .l4_protocol = p->flow.protocol, .ifindex = p->ifindex };

	if (p->flow.family == 4) {
		fib.family = 2; /* AF_INET */
		fib.ipv4_src = p->flow.src.w[0];
		fib.ipv4_dst = p->flow.dst.w[0];
	} else {
		fib.family = 10; /* AF_INET6 */
		copy_addr(fib.ipv6_src, &p->flow.src);
		copy_addr(fib.ipv6_dst, &p->flow.dst);
	}
	return bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) == BPF_FIB_LKUP_RET_NOT_FWDED;
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
		if (m.conn && unlikely(m.conn->method == METHOD_BYPASS) && is_for_us(ctx, p)) {
			end_conn(p->slot, p->now, true);
			return not_opened(ctx, p, EXIT_NO_DEST); /* bypassing is for others' addresses (spec 5.6) */
		}
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
