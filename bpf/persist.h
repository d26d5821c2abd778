/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Persistence (spec 4.9): a template, a conn without client port, remembers which dest a client's network was given; new
 * conns follow it while it lives. It stands in the same table under a kind of its own.
 */
#pragma once

#include "bind.h"

/* The client's network. */
static __always_inline void mask_client(struct addr *a, const struct service *s, int family)
{
	__s32 bits = s->netmask;

	if (family == 4) {
		a->w[0] &= s->netmask;
		return;
	}
#pragma clang loop unroll(full)
	for (int i = 0; i < 4; i++, bits -= 32)
		a->w[i] = bits >= 32 ? a->w[i] : bits <= 0 ? 0 : a->w[i] & bpf_htonl(~0u << (32 - bits));
}

/* Does a template of this packet name the port? Those of FTP, of any-port and of fwmark services do not. */
static __always_inline bool is_port_bound(const struct service *s, const struct packet *p)
{
	return !s->fwmark && s->port == bpf_ntohs(p->flow.dport) && s->port != FTP_PORT;
}

static __always_inline void template_flow(struct flow *f, const struct service *s, const struct packet *p)
{
	*f = p->flow;
	f->kind = FLOW_TEMPLATE;
	f->sport = 0;
	mask_client(&f->src, s, f->family);
	if (s->fwmark) {
		f->protocol = 0; /* IP: shared by TCP and UDP */
		f->dst.w[0] = bpf_htonl(s->fwmark);
		f->dst.w[1] = 0;
		f->dst.w[2] = 0;
		f->dst.w[3] = 0;
	}
	if (!is_port_bound(s, p))
		f->dport = 0;
}

/* May new conns follow it? */
static __always_inline bool is_template_valid(const struct settings *set, const struct conn *t)
{
	struct dest *d = dest_at(t->dest);

	return d && is_available(d) && !(d->weight == 0 && set->expire_quiescent_template);
}

/* One whose dest is gone makes room: it lives on under ports nobody asks for, until its time is up. */
static __always_inline void move_aside(struct conn *t, __u32 slot)
{
	unindex_flow(slot, DIR_IN);
	t->in.dport = 0xffff;
	t->out.sport = 0xffff;
	index_flow(slot, DIR_IN);
}

#define PERSIST_MAX (1u << 30) /* jiffies: times are compared by distance */

/* The slot of the template of flow `f` that new conns may follow, or MISS. */
__noinline __u32 find_template(const struct flow *f, __u32 now)
{
	struct settings *set = settings_of();
	struct match m = {};

	if (!f || !set)
		return MISS;
	if (!(f->family == 4 ? find_conn(&m, set, f, now, 4) : find_conn(&m, set, f, now, 6)) || !m.conn)
		return MISS;
	if (is_template_valid(set, m.conn))
		return m.slot;
	move_aside(m.conn, m.slot);
	return MISS;
}

/* A child was made: its template is needed for its whole time again. */
static __always_inline void adopt(struct conn *t, __u32 now)
{
	__sync_fetch_and_add(&t->n_control, 1);
	t->expires = now + t->timeout;
}
