/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The life of a conn: created and bound to a dest, taken apart again (spec 4.4, 4.8). */
#pragma once

#include "state.h"
#include "sched.h"

#define FULLNAT_TRIES 64
#define FULLNAT_PORT_MIN 5000
#define FULLNAT_PORTS (65536 - FULLNAT_PORT_MIN)
/* A conn begins with this many seconds; the packet that made it gives it its state's timeout. */
#define FIRST_SECONDS 3
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

static __always_inline struct laddr *laddr_at(__u32 at)
{
	return bpf_map_lookup_elem(&laddrs, &at);
}

static __always_inline void unbind(struct conn *c)
{
	struct dest *d = c->dest == NO_DEST ? 0 : dest_at(c->dest);
	struct laddr *l = c->laddr ? laddr_at(c->laddr - 1) : 0;

	if (d && c->flags & CONN_TEMPLATE) {
		__sync_fetch_and_add(&d->persist, -1);
	} else if (d) {
		set_active(c, d, false);
		uncount_conn(d);
	}
	if (l)
		__sync_fetch_and_add(&l->conns, -1);
}

/* Take a conn apart. Its slot is given back by a later round of the sweep, when no packet can hold it any more. */
static __always_inline bool end_one(struct table_state *table, struct conn *c, __u32 slot, __u32 now)
{
	if (__sync_val_compare_and_swap(&c->life, LIFE_LIVE, LIFE_DYING) != LIFE_LIVE)
		return false;
	unindex_conn(c, slot);
	unbind(c);
	c->expires = now;
	__sync_fetch_and_add(&table->live, -1);
	table->swept++;
	return true;
}

/*
 * The same, and its template is one child poorer. One deleted on purpose takes a template along that nobody else needs
 * and nobody has confirmed (spec 4.8).
 */
__noinline int end_conn(__u32 slot, __u32 now, __u32 on_purpose)
{
	struct table_state *table = table_of();
	struct conn *c = conn_at(slot), *parent;
	__u32 control;

	if (!table || !c)
		return 0;
	control = c->control;
	if (!end_one(table, c, slot, now) || control == 0)
		return 0;
	parent = conn_at(control - 1);
	if (!parent || __sync_fetch_and_add(&parent->n_control, -1) != 1)
		return 0;
	if (on_purpose && (!(parent->flags & CONN_TEMPLATE) || parent->state != TEMPLATE_ASSURED))
		end_one(table, parent, control - 1, now);
	return 0;
}

/* --- FullNAT's side of the director ------------------------------------------------------------------------------- */

struct local_search {
	struct conn *conn;      /* its flow `out` is dest -> local address, as the dest's packets will come */
	__u32 base, count, turn;
	__u32 now;
	__u32 picked;           /* laddr + 1 */
};

/* Does anybody speak on this flow? */
__noinline int is_flow_taken(const struct flow *f, __u32 now)
{
	struct settings *set = settings_of();
	struct match other;

	if (!f || !set)
		return true;
	return f->family == 4 ? find_conn(&other, set, f, now, 4) : find_conn(&other, set, f, now, 6);
}

/* One candidate: the turn's address and its next port; taken when nobody else speaks on that 4-tuple. */
static long try_local(__u32 i, struct local_search *l)
{
	__u32 at = member_at(l->base + (l->turn + i) % l->count);
	struct laddr *la = laddr_at(at);
	struct flow *out = &l->conn->out;

	if (!la)
		return 1;
	out->dst = la->addr;
	out->dport = bpf_htons(FULLNAT_PORT_MIN + __sync_fetch_and_add(&la->next, 1) % FULLNAT_PORTS);
	if (is_flow_taken(out, l->now)) {
		__sync_fetch_and_add(&la->conflicts, 1);
		return 0;
	}
	l->picked = at + 1;
	return 1;
}

/* Give c->out a director address and port that are free towards this dest (spec 10.1). */
static __always_inline bool pick_local(const struct service *s, struct conn *c, __u32 now)
{
	struct local_search l = { .conn = c, .base = s->laddrs, .count = s->laddr_count, .now = now };
	__u32 id = s->id;
	struct service_state *state = bpf_map_lookup_elem(&service_states, &id);
	struct laddr *la;

	if (!state || l.count == 0)
		return false;
	l.turn = __sync_fetch_and_add(&state->laddr_turn, 1);
	bpf_loop(FULLNAT_TRIES, try_local, &l, 0);
	la = l.picked ? laddr_at(l.picked - 1) : 0;
	if (!la)
		return false;
	__sync_fetch_and_add(&la->conns, 1);
	c->laddr = l.picked;
	return true;
}

/* --- creation --------------------------------------------------------------------------------------------------------- */

/* What becomes of a flow. */
struct birth {
	__u32 dest;             /* index */
	__be16 dport;           /* at the dest */
	__u16 flags;            /* CONN_TEMPLATE, CONN_ONE_PACKET */
	__u32 control;          /* the template's slot + 1 */
	__u32 fwmark;
	__u32 cpu;
	__u32 now;
	__u32 slot;             /* out: where it lives */
};

#define BORN EXIT_REASONS

static __always_inline void fill_conn(struct conn *c, const struct service *s, const struct flow *in, const struct dest *d,
				      const struct birth *b, const struct settings *set)
{
	c->in = *in;
	c->out.src = d->addr;
	c->out.sport = b->dport;
	c->out.dst = in->src;
	c->out.dport = in->sport;
	c->out.protocol = in->protocol;
	c->out.family = d->family ? d->family : in->family;
	c->out.kind = in->kind;
	c->dest = b->dest;
	c->flags = d->conn_flags | CONN_INACTIVE | b->flags;
	c->state = 0;
	if (b->dest == NO_DEST)
		c->method = METHOD_BYPASS;
	else
		c->method = d->hop.generation == HOP_LOCAL && d->method != METHOD_NAT ? METHOD_LOCAL : d->method;
	if (c->method == METHOD_LOCAL)
		c->flags |= CONN_NOOUTPUT; /* whatever its method was to be: its answers do not pass us */
	c->timeout = set->hz * FIRST_SECONDS;
	c->expires = b->now + c->timeout;
	c->in_pkts = 0;
	c->hop.ifindex = 0;
	c->hop.generation = 0;
	c->control = b->control;
	c->n_control = 0;
	c->service = s->id;
	c->fwmark = b->fwmark;
	c->laddr = 0;
	c->server_isn = 0;
	c->sync_endtime = 0;
	c->created = b->now;
	c->serial++;
	c->old_state = 0;
	c->pe = 0;
}

/* --- room in a full table ----------------------------------------------------------------------------------------------- */

/* One whose client has shown nothing yet but a first packet. */
static __always_inline bool is_half_open(const struct conn *c)
{
	if (c->flags & CONN_TEMPLATE || c->n_control)
		return false;
	if (c->in.protocol == IPPROTO_TCP)
		return c->state == TCP_S_SYN_RECV || c->state == TCP_S_SYNACK;
	return c->in.protocol == IPPROTO_SCTP && (c->state == SCTP_S_INIT1 || c->state == SCTP_S_INIT);
}

/*
 * With drop_entry, in a full table each new conn takes the place of an old half-open one. A hand goes round the slots, so that
 * each gets as long to open as it takes to go round: a second where 16 384 slots see 16 384 SYNs a second. The hand ends
 * half-open conns, and takes the slots of those that it ended an eighth of the table ago: more than a jiffy, and no packet
 * holds them any more.
 */
#define HAND_LEAD (limits.capacity / 8)
#define HAND_STEPS 16

struct hand {
	struct table_state *table;
	__u32 now;
	__u32 slot;             /* out */
};

static long move_hand(__u32 i, struct hand *h)
{
	__u32 turn = __sync_fetch_and_add(&h->table->hand, 1);
	__u32 ahead = turn % limits.capacity, behind = (turn - HAND_LEAD) % limits.capacity;
	struct conn *c = conn_at(ahead);

	if (c && c->life == LIFE_LIVE && is_half_open(c))
		end_conn(ahead, h->now, true);
	c = conn_at(behind);
	if (!c || c->life != LIFE_DYING)
		return 0;
	if (c->expires == h->now)
		return 1; /* too early: to end more would not help this packet */
	if (__sync_val_compare_and_swap(&c->life, LIFE_DYING, LIFE_FREE) != LIFE_DYING)
		return 0;
	h->slot = behind;
	return 1;
}

/* A slot that was taken from another, or MISS. */
__noinline int make_room(__u32 now)
{
	struct hand h = { .table = table_of(), .now = now, .slot = MISS };

	if (!h.table)
		return MISS;
	bpf_loop(HAND_STEPS, move_hand, &h, 0);
	return h.slot;
}

/* A slot of its own, or for a conn of one packet the CPU's scratch slot, which is never in the table. */
static __always_inline __u32 birthplace(struct table_state *table, const struct settings *set, const struct birth *b)
{
	__u32 slot;

	if (b->flags & CONN_ONE_PACKET)
		return limits.capacity + b->cpu;
	slot = take_slot(table);
	return slot == MISS && set->drop_entry ? make_room(b->now) : slot;
}

/* Returns BORN, or the reason why the packet must go. */
__noinline int bear_conn(const struct service *s, const struct flow *in, struct birth *b)
{
	struct table_state *table = table_of();
	struct settings *set = settings_of();
	struct dest *d;
	struct conn *c;

	if (!s || !in || !b || !table || !set)
		return EXIT_BUG;
	d = dest_at(b->dest);
	b->slot = birthplace(table, set, b);
	c = b->slot == MISS ? 0 : conn_at(b->slot);
	if (!d || !c)
		return d ? EXIT_TABLE_FULL : EXIT_BUG;
	fill_conn(c, s, in, d, b, set);
	if (c->method == METHOD_FULLNAT && !(b->flags & CONN_TEMPLATE) && !pick_local(s, c, b->now)) {
		if (!(b->flags & CONN_ONE_PACKET))
			give_slot(b->slot);
		return EXIT_NO_LOCAL_ADDRESS;
	}
	if (b->flags & CONN_ONE_PACKET) {
		/* its end comes with the packet's: what it would add to the dest's load it would take away again */
		if (c->laddr) {
			struct laddr *l = laddr_at(c->laddr - 1);

			if (l)
				__sync_fetch_and_add(&l->conns, -1);
		}
		return BORN;
	}

	if (b->flags & CONN_TEMPLATE)
		__sync_fetch_and_add(&d->persist, 1);
	else if (b->dest != NO_DEST)
		count_conn(d);
	__sync_fetch_and_add(&table->live, 1);
	WRITE_ONCE(c->life, LIFE_LIVE);
	if (!index_conn(c, b->slot)) {
		end_one(table, c, b->slot, b->now);
		return EXIT_TABLE_FULL;
	}
	return BORN;
}
