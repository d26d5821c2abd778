/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The life of a conn: created and bound to a dest, taken apart again (spec 4.4, 4.8). */
#pragma once

#include "state.h"

#define FULLNAT_TRIES 64
#define FULLNAT_PORT_MIN 5000
#define FULLNAT_PORTS (65536 - FULLNAT_PORT_MIN)
/* "Expire later": a conn that others still name lives on in steps of this many seconds. */
#define LATER_SECONDS 60

static __always_inline void unindex_conn(struct conn *c, __u32 slot)
{
	unindex_flow(slot, DIR_IN);
	if (has_out_flow(c))
		unindex_flow(slot, DIR_OUT);
}

static __always_inline bool index_conn(struct conn *c, __u32 slot)
{
	return index_flow(slot, DIR_IN) && (!has_out_flow(c) || index_flow(slot, DIR_OUT));
}

static __always_inline void unbind(struct conn *c)
{
	struct dest *d = dest_at(c->dest);

	if (d && c->flags & CONN_TEMPLATE)
		__sync_fetch_and_add(&d->persist, -1);
	else if (d) {
		set_active(c, d, false);
		uncount_conn(d);
	}
	if (c->laddr) {
		__u32 at = c->laddr - 1;
		struct laddr *l = bpf_map_lookup_elem(&laddrs, &at);

		if (l)
			__sync_fetch_and_add(&l->conns, -1);
	}
}

/*
 * Take a conn apart. Its slot is given back by the sweep's next round, when no packet can hold it any more.
 */
static __always_inline void end_conn(struct table_state *table, struct conn *c, __u32 slot, __u32 now)
{
	if (__sync_val_compare_and_swap(&c->life, LIFE_LIVE, LIFE_DYING) != LIFE_LIVE)
		return;
	unindex_conn(c, slot);
	unbind(c);
	c->expires = now;
	__sync_fetch_and_add(&table->live, -1);
	table->swept++;
	if (c->control) {
		struct conn *parent = conn_at(c->control - 1);

		if (parent)
			__sync_fetch_and_add(&parent->n_control, -1);
	}
}

static __always_inline struct laddr *laddr_at(__u32 at)
{
	return bpf_map_lookup_elem(&laddrs, &at);
}

struct local_search {
	struct settings *set;
	struct flow flow;       /* dest -> local address, as its packets will come */
	__u32 base, count, turn;
	__u32 now;
	__u32 picked;           /* laddr + 1 */
};

/* One candidate: the turn's address and its next port; taken when nobody else speaks on that 4-tuple. */
static long try_local(__u32 i, struct local_search *l)
{
	__u32 at = l->base + (l->turn + i) % l->count;
	struct laddr *la = laddr_at(at);
	struct match other;

	if (!la)
		return 1;
	l->flow.dst = la->addr;
	l->flow.dport = bpf_htons(FULLNAT_PORT_MIN + __sync_fetch_and_add(&la->next, 1) % FULLNAT_PORTS);
	if (l->flow.family == 4 ? find_conn(&other, l->set, &l->flow, l->now, 4) : find_conn(&other, l->set, &l->flow, l->now, 6)) {
		__sync_fetch_and_add(&la->conflicts, 1);
		return 0;
	}
	l->picked = at + 1;
	return 1;
}

/* Give c->out a director address and port that are free towards this dest (spec 10.1). */
static __noinline __u32 pick_local(struct packet *p, const struct service *s, struct conn *c)
{
	struct local_search l = { .set = p->set, .flow = c->out, .base = s->laddrs, .count = s->laddr_count, .now = p->now };
	__u32 id = s->id;
	struct service_state *state = bpf_map_lookup_elem(&service_states, &id);

	if (!state || l.count == 0)
		return 0;
	l.turn = __sync_fetch_and_add(&state->laddr_turn, 1);
	bpf_loop(FULLNAT_TRIES, try_local, &l, 0);
	if (l.picked) {
		c->out.dst = l.flow.dst;
		c->out.dport = l.flow.dport;
	}
	return l.picked;
}

/* A conn for the packet's flow, bound to dest `index`. V_NEXT: p->conn and p->dest are set. */
static __noinline enum verdict new_conn(struct packet *p, const struct service *s, __u32 index)
{
	struct table_state *table = table_of();
	struct dest *d = dest_at(index);
	struct counters *n;
	struct conn *c;
	__u32 slot;

	if (!table || !d)
		return leave(p, EXIT_BUG, V_DROP);
	slot = take_slot(table);
	c = slot == MISS ? 0 : conn_at(slot);
	if (!c)
		return leave(p, EXIT_TABLE_FULL, V_DROP);

	c->in = p->flow;
	c->out.src = d->addr;
	c->out.sport = d->port ? d->port : p->flow.dport;
	c->out.dst = p->flow.src;
	c->out.dport = p->flow.sport;
	c->out.protocol = p->flow.protocol;
	c->out.family = d->family;
	c->out.kind = FLOW_PACKET;
	c->dest = index;
	c->flags = d->conn_flags | CONN_INACTIVE;
	c->state = 0;
	c->method = d->hop.generation == HOP_LOCAL && d->method != METHOD_NAT ? METHOD_LOCAL : d->method;
	c->timeout = p->set->hz * 3;
	c->expires = p->now + c->timeout;
	c->in_pkts = 0;
	c->hop.ifindex = 0;
	c->hop.generation = 0;
	c->control = 0;
	c->n_control = 0;
	c->service = s->id;
	c->fwmark = 0;
	c->laddr = 0;
	c->server_isn = 0;
	c->sync_endtime = 0;
	c->created = p->now;
	c->serial++;
	c->old_state = 0;
	c->drop_chain = 0;
	c->pe = 0;

	if (c->method == METHOD_FULLNAT) {
		struct laddr *l;

		c->laddr = pick_local(p, s, c);
		l = c->laddr ? laddr_at(c->laddr - 1) : 0;
		if (!l) {
			c->laddr = 0;
			give_slot(slot);
			return leave(p, EXIT_NO_LOCAL_ADDRESS, V_DROP);
		}
		__sync_fetch_and_add(&l->conns, 1);
	}

	count_conn(d);
	__sync_fetch_and_add(&table->live, 1);
	WRITE_ONCE(c->life, LIFE_LIVE);
	if (!index_conn(c, slot)) {
		end_conn(table, c, slot, p->now);
		return leave(p, EXIT_TABLE_FULL, V_DROP);
	}
	n = counters_of(p, index);
	if (n)
		n->conns++;
	p->conn = c;
	p->slot = slot;
	p->dest = d;
	p->direction = DIR_IN;
	return V_NEXT;
}
