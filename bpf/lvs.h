/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * The pipeline, read from top to bottom.
 *
 *   frame - parse - find conn -+- hit ------------------------------- accept - track - forward - out
 *                              +- miss - service - may open? - schedule - new conn -+
 *           ICMP errors: parse the packet inside, find its conn, rewrite both
 */
#pragma once

#include "parse.h"
#include "conn.h"
#include "service.h"
#include "sched.h"
#include "bind.h"
#include "rewrite.h"
#include "tunnel.h"
#include "toa.h"
#include "icmp_send.h"
#include "icmp_related.h"

#define STAGE(stage) do { enum verdict v = stage; if (v != V_NEXT) return v; } while (0)

/* --- towards the client ------------------------------------------------------------------------------------------ */

/* The client's next hop, looked up when routes have changed since, which includes never. */
static __noinline bool refresh_client_hop(struct packet *p, struct conn *c)
{
	struct bpf_fib_lookup fib = {
		.family = 2, /* AF_INET */
		.l4_protocol = c->in.protocol,
		.tot_len = 0,
		.ipv4_src = c->in.dst.w[0],
		.ipv4_dst = c->in.src.w[0],
		.ifindex = p->ifindex,
	};

	if (bpf_fib_lookup(p->ctx, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return false;
	__builtin_memcpy(c->hop.dmac, fib.dmac, 6);
	__builtin_memcpy(c->hop.smac, fib.smac, 6);
	c->hop.ifindex = fib.ifindex;
	c->hop.generation = p->set->generation;
	return true;
}

static __always_inline bool has_client_hop(struct packet *p, struct conn *c)
{
	return likely(c->hop.generation == p->set->generation) || refresh_client_hop(p, c);
}

static __always_inline enum verdict send_to_client(struct packet *p, struct conn *c, enum exit_reason reason)
{
	if (unlikely(!has_client_hop(p, c)))
		return leave(p, EXIT_REPLY_SLOW, V_PASS);
	if (!decrement_ttl(p))
		return leave(p, EXIT_BUG, V_DROP);
	return send_to(p, &c->hop, bpf_htons(ETH_P_IP), reason);
}

/* A dest's answer: its source becomes the service's address again. */
static __always_inline enum verdict reply(struct packet *p)
{
	struct conn *c = p->conn;
	struct dest *d = dest_at(c->dest);

	if (!d)
		return leave(p, EXIT_BUG, V_DROP);
	if (p->ttl <= 1)
		return leave(p, EXIT_TTL, V_PASS);  /* untouched: the stack tells the dest */
	if (is_available(d)) {
		struct counters *n = counters_of(p, c->dest);

		if (n) {
			n->out_pkts++;
			n->out_bytes += p->len;
		}
	}
	track(p, c, d);
	note_server_isn(p, c);
	if (!rewrite4(p, &c->in))
		return leave(p, EXIT_TRUNCATED, V_DROP);
	return send_to_client(p, c, c->method == METHOD_FULLNAT ? EXIT_FULLNAT_REPLY : EXIT_NAT_REPLY);
}

/* --- towards the dest ---------------------------------------------------------------------------------------------- */

static __always_inline enum verdict too_big(struct packet *p, __u32 mtu)
{
	return refuse(p, icmp_kind(ICMP_UNREACHABLE, ICMP_FRAG_NEEDED_CODE), mtu, EXIT_TOO_BIG, EXIT_TOO_BIG_QUIET);
}

static __always_inline enum verdict forward_nat(struct packet *p, struct conn *c, struct dest *d)
{
	bool toa = c->method == METHOD_FULLNAT && wants_toa(p, c);

	if (!rewrite4(p, &c->out) || (toa && !push_toa(p, c)))
		return leave(p, EXIT_TRUNCATED, V_DROP);
	if (d->hop.generation == HOP_LOCAL)
		return leave(p, EXIT_LOCAL, V_PASS);
	return send_to(p, &d->hop, bpf_htons(ETH_P_IP), c->method == METHOD_FULLNAT ? EXIT_FULLNAT : EXIT_NAT);
}

static __always_inline enum verdict forward_tunnel(struct packet *p, struct dest *d)
{
	if (!push_ipip(p, d, p->df && p->set->pmtu_disc))
		return leave(p, EXIT_NO_ROOM, V_DROP);
	return send_to(p, &d->hop, bpf_htons(ETH_P_IP), EXIT_TUNNEL);
}

/* TTL, next hop and path MTU, then by the conn's method. */
static __always_inline enum verdict forward(struct packet *p)
{
	struct conn *c = p->conn;
	struct dest *d = p->dest;
	__u32 overhead = c->method == METHOD_TUNNEL ? IPIP_OVERHEAD : 0;

	if (d->hop.generation == HOP_LOCAL && c->method != METHOD_NAT)
		return leave(p, EXIT_LOCAL, V_PASS);
	if (d->hop.generation != HOP_LOCAL) {
		if (p->ttl <= 1)
			return refuse(p, icmp_kind(ICMP_TIME, 0), 0, EXIT_TTL, EXIT_TTL);
		if (unlikely(d->hop.generation != HOP_RESOLVED)) {
			if (d->hop.generation == HOP_UNREACHABLE)
				return refuse(p, icmp_kind(ICMP_UNREACHABLE, ICMP_HOST_UNREACHABLE_CODE), 0, EXIT_UNREACHABLE,
					      EXIT_UNREACHABLE);
			return leave(p, EXIT_HOP_UNRESOLVED, V_DROP);
		}
		if (!decrement_ttl(p))
			return leave(p, EXIT_BUG, V_DROP);
		if (unlikely(p->len + overhead > d->mtu))
			return too_big(p, d->mtu - overhead);
	}
	switch (c->method) {
	case METHOD_NAT:
	case METHOD_FULLNAT:
		return forward_nat(p, c, d);
	case METHOD_ROUTE:
		return send_to(p, &d->hop, bpf_htons(ETH_P_IP), EXIT_ROUTE);
	case METHOD_TUNNEL:
		return forward_tunnel(p, d);
	default:
		return leave(p, EXIT_LOCAL, V_PASS);
	}
}

/* A client's packet of a known conn (spec 5.2 steps 9 to 14). */
static __always_inline enum verdict request(struct packet *p)
{
	struct conn *c = p->conn;
	struct dest *d = p->dest;
	struct counters *n;

	if (unlikely(!is_available(d)))
		return leave(p, EXIT_DEST_GONE, V_DROP);
	n = counters_of(p, c->dest);
	if (n) {
		n->in_pkts++;
		n->in_bytes += p->len;
	}
	track(p, c, d);
	c->in_pkts++;
	return forward(p);
}

/* --- new conns ------------------------------------------------------------------------------------------------------ */

/* Spec 5.3. */
static __always_inline bool may_open(const struct packet *p)
{
	if (p->flow.protocol != IPPROTO_TCP)
		return true;
	return !(p->tcp_flags & TCP_RST_FLAG) && (p->tcp_flags & TCP_SYN_FLAG || p->set->sloppy_tcp);
}

static __always_inline enum verdict no_dest(struct packet *p)
{
	return refuse(p, icmp_kind(ICMP_UNREACHABLE, ICMP_PORT_UNREACHABLE_CODE), 0, EXIT_NO_DEST, EXIT_NO_DEST_QUIET);
}

static __always_inline enum verdict open_conn(struct packet *p)
{
	struct service *s = find_service(p->set, &p->flow);
	__u32 index;

	if (!s)
		return leave(p, EXIT_NO_SERVICE, V_PASS);
	if (!may_open(p) || p->flow.sport == bpf_htons(FTP_DATA_PORT))
		return leave(p, EXIT_NOT_SCHEDULED, V_PASS);
	index = schedule(s, &p->flow);
	if (index == MISS)
		return no_dest(p);
	return new_conn(p, s, index);
}

/* --- ICMP errors ---------------------------------------------------------------------------------------------------- */

/* From the dest's side, about a request: on to the client. */
static __always_inline enum verdict error_to_client(struct packet *p, const struct quote *q, struct conn *c)
{
	struct counters *n = counters_of(p, c->dest);

	if (p->ttl <= 1)
		return leave(p, EXIT_TTL, V_PASS);
	if (n) {
		n->out_pkts++;
		n->out_bytes += p->len;
	}
	if (!rewrite_error4(p, q, &c->in, c->in.dst.w[0], c->in.src.w[0]))
		return leave(p, EXIT_BUG, V_DROP);
	return send_to_client(p, c, EXIT_ICMP_RELATED);
}

/* From the client's side, about a reply: on to the dest, the way its requests go. */
static __always_inline enum verdict error_to_dest(struct packet *p, const struct quote *q, struct conn *c, struct dest *d)
{
	struct counters *n = counters_of(p, c->dest);
	const struct iphdr *ip = p->data + ETH_LEN;

	if (n) {
		n->in_pkts++;
		n->in_bytes += p->len;
	}
	c->in_pkts++;
	if (d->hop.generation == HOP_LOCAL)
		return leave(p, EXIT_LOCAL, V_PASS);
	if (d->hop.generation != HOP_RESOLVED)
		return leave(p, EXIT_HOP_UNRESOLVED, V_DROP);
	if (p->ttl <= 1 || !decrement_ttl(p) || (void *)(ip + 1) > p->end)
		return leave(p, EXIT_TTL, V_DROP);
	if (has_out_flow(c)) {
		if (!rewrite_error4(p, q, &c->out, ip->saddr, c->out.src.w[0]))
			return leave(p, EXIT_BUG, V_DROP);
	} else if (c->method == METHOD_TUNNEL && !push_ipip(p, d, false)) {
		return leave(p, EXIT_NO_ROOM, V_DROP);
	}
	return send_to(p, &d->hop, bpf_htons(ETH_P_IP), EXIT_ICMP_RELATED);
}

static __noinline enum verdict icmp4(struct packet *p)
{
	const struct icmp_header *icmp = p->data + p->l4;
	struct quote q = { .ip = p->l4 + ICMP_HEADER };
	struct flow asked = {};
	struct match m;
	struct dest *d;

	if ((void *)(icmp + 1) > p->end || p->fragment ||
	    (icmp->type != ICMP_UNREACHABLE && icmp->type != ICMP_SOURCE_QUENCH && icmp->type != ICMP_TIME))
		return leave(p, EXIT_ICMP, V_PASS);
	__builtin_memset(&q.flow, 0, sizeof(q.flow));
	if (!parse_quote4(p, &q))
		return leave(p, EXIT_ICMP, V_PASS);
	reverse_flow(&asked, &q.flow);
	if (!find_conn(&m, p->set, &asked, p->now, 4))
		return leave(p, EXIT_ICMP, V_PASS);
	d = dest_at(m.conn->dest);
	if (!d)
		return leave(p, EXIT_BUG, V_DROP);
	return m.direction == DIR_OUT ? error_to_client(p, &q, m.conn) : error_to_dest(p, &q, m.conn, d);
}

/* --- the pipeline --------------------------------------------------------------------------------------------------- */

static __always_inline enum verdict lookup(struct packet *p)
{
	struct match m;

	if (!find_conn(&m, p->set, &p->flow, p->now, 4))
		return open_conn(p);
	p->conn = m.conn;
	p->slot = m.slot;
	p->direction = m.direction;
	p->dest = dest_at(m.conn->dest);
	return p->dest ? V_NEXT : leave(p, EXIT_BUG, V_DROP);
}

static __always_inline enum verdict lvs4(struct packet *p)
{
	STAGE(parse4(p));
	if (p->flow.protocol == IPPROTO_ICMP)
		return icmp4(p);
	if (p->flow.protocol != IPPROTO_TCP && p->flow.protocol != IPPROTO_UDP)
		return leave(p, EXIT_PROTOCOL, V_PASS);
	if (p->fragment == 2)
		return leave(p, EXIT_FRAGMENT_UNKNOWN, V_PASS);
	STAGE(parse_transport(p, p->len - (p->l4 - ETH_LEN)));
	STAGE(lookup(p));
	return p->direction == DIR_OUT ? reply(p) : request(p);
}

static __always_inline enum verdict lvs(struct packet *p)
{
	const struct ethhdr *eth = p->data;
	struct settings *set = settings_of();

	p->cpu = bpf_get_smp_processor_id();
	if (!set)
		return leave(p, EXIT_BUG, V_PASS);
	p->set = set;
	p->now = (__u32)bpf_jiffies64() + set->clock_offset;
	if ((void *)(eth + 1) > p->end)
		return leave(p, EXIT_MALFORMED, V_PASS);
	if (unlikely(!is_for_host(p, eth)))
		return leave(p, EXIT_NOT_HOST, V_PASS);
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return lvs4(p);
	return leave(p, EXIT_NOT_IP, V_PASS);
}
