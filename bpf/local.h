/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * The director as its own real server under NAT: requests are rewritten and handed to the local stack on their way in,
 * its answers are found here, on their way out. Attached to egress while there is such a dest. What is not an answer
 * leaves untouched and uncounted: it is not the data path's.
 */
#pragma once

#include "lvs.h"

static __always_inline bool is_answer(const struct match *m)
{
	struct dest *d = m->direction == DIR_OUT ? dest_at(m->conn->dest) : 0;

	return d && d->hop.generation == HOP_LOCAL;
}

static __always_inline void answer(HOOK_CONTEXT *ctx, struct packet *p, struct settings *set)
{
	const struct ethhdr *eth = hook_data(ctx);
	struct match m = {};
	struct dest *d;

	if ((void *)(eth + 1) > hook_end(ctx) || set->local_dests == 0)
		return;
	if (eth->h_proto != bpf_htons(ETH_P_IP) && eth->h_proto != bpf_htons(ETH_P_IPV6))
		return;
	if ((eth->h_proto == bpf_htons(ETH_P_IP) ? parse4(ctx, p) : parse6(ctx, p)) != V_NEXT)
		return;
	if ((p->flow.protocol != IPPROTO_TCP && p->flow.protocol != IPPROTO_UDP) || p->fragment == LATER_FRAGMENT)
		return;
	if (parse_transport(ctx, p, p->len - (p->l4 - ETH_LEN)) != V_NEXT || !find(&m, set, p) || !is_answer(&m))
		return;
	d = dest_at(m.conn->dest);
	if (!d)
		return;
	p->direction = DIR_OUT;
	if (is_available(d))
		count_out(p, m.conn);
	track(p, set, m.conn, d);
	if (rewrite(ctx, p, &m.conn->in))
		leave(p, EXIT_LOCAL_REPLY, V_PASS);
}
