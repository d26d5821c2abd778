/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Towards the dest: TTL, next hop and path MTU, then by the conn's method. */
#pragma once

#include "state.h"
#include "rewrite.h"
#include "tunnel.h"
#include "toa.h"
#include "icmp_send.h"

static __always_inline enum verdict forward_nat(HOOK_CONTEXT *ctx, struct packet *p, struct conn *c, struct dest *d)
{
	bool toa = c->flags & CONN_TOA && wants_toa(ctx, p, c, d);

	if (!rewrite(ctx, p, &c->out) || (toa && !push_toa(ctx, p, c)))
		return leave(p, EXIT_TRUNCATED, V_DROP);
	if (d->hop.generation == HOP_LOCAL)
		return leave(p, EXIT_LOCAL, V_PASS);
	return send_to(ctx, p, &d->hop, p->flow.family, c->method == METHOD_FULLNAT ? EXIT_FULLNAT : EXIT_NAT);
}

static __always_inline enum verdict forward_tunnel(HOOK_CONTEXT *ctx, struct packet *p, const struct settings *set, struct dest *d)
{
	bool plain = is_plain_ipip(p, d);
	__u32 room = d->mtu - (plain ? sizeof(struct iphdr) : tunnel_overhead(d));

	if (unlikely(p->wire_len > room))
		return refuse(ctx, p, TROUBLE_TOO_BIG, room, EXIT_TOO_BIG, EXIT_TOO_BIG_QUIET);
	if (!(plain ? push_plain_ipip(ctx, p, set, d) : push_tunnel(ctx, p, d)))
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

	if (c->method == METHOD_TUNNEL)
		return forward_tunnel(ctx, p, set, d);
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
