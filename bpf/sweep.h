/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Expiry. A BPF timer walks the slots a slice at a time, whether the daemon lives or not. A conn whose time is up is
 * taken apart in one round and its slot given back in the next: by then no packet holds it any more.
 */
#pragma once

#include "bind.h"

#define SWEEP_PERIOD_NS (20 * 1000 * 1000)
#define SWEEP_ROUNDS_PER_TABLE 50       /* so a round over all slots takes a second */
#define SWEEP_SLICE_MIN 256

struct sweep {
	struct settings *set;
	struct table_state *table;
	__u32 from;             /* slot */
	__u32 now;
};

static __always_inline void expire(struct sweep *w, struct conn *c, __u32 slot)
{
	if (c->n_control) {
		c->timeout = LATER_SECONDS * w->set->hz;
		c->expires = w->now + c->timeout;
		return;
	}
	end_conn(slot, w->now, false);
}

/*
 * drop_entry (spec 7.2): the kernel looks at a random 32nd of its table each second; here each conn is looked at with that
 * chance as the sweep passes it, which is once a second.
 */
#define DROP_ENTRY_SHARE 32
#define IDLE_SECONDS 60

/* Test T: one of every n conns that have been idle for a minute after n packets, n up to 8. */
static __always_inline bool is_expendable(struct sweep *w, const struct conn *c)
{
	__s32 idle = (__s32)(c->timeout - (c->expires - w->now));
	__u32 n = c->in_pkts;

	if (idle < (__s32)(w->set->hz * IDLE_SECONDS) || n == 0 || n > 8)
		return false;
	return __sync_fetch_and_add(&w->table->drop_entry_turn[n & 15], 1) % n == 0;
}

static __always_inline bool is_dropped(struct sweep *w, const struct conn *c)
{
	__u8 protocol = c->in.protocol;

	if (c->n_control || bpf_get_prandom_u32() % DROP_ENTRY_SHARE)
		return false;
	if (c->flags & CONN_TEMPLATE)
		return c->state != TEMPLATE_ASSURED;
	if (protocol == IPPROTO_TCP) {
		if (c->state == TCP_S_SYN_RECV || c->state == TCP_S_SYNACK)
			return true;
		return c->state == TCP_S_ESTABLISHED && is_expendable(w, c);
	}
	if (protocol == IPPROTO_SCTP) {
		if (c->state == SCTP_S_INIT1 || c->state == SCTP_S_INIT)
			return true;
		return c->state == SCTP_S_ESTABLISHED && is_expendable(w, c);
	}
	return is_expendable(w, c);
}

/* expire_nodest_conn: conns of dests that are gone are ended without waiting for a packet (spec 2.5). */
static __always_inline bool is_orphan(struct sweep *w, const struct conn *c)
{
	struct dest *d;

	if (!w->set->expire_nodest_conn || c->dest == NO_DEST || c->n_control)
		return false;
	d = dest_at(c->dest);
	return d && !is_available(d);
}

static long sweep_slot(__u32 i, struct sweep *w)
{
	__u32 slot = w->from + i;
	struct conn *c = conn_at(slot);

	if (!c)
		return 1;
	switch (c->life) {
	case LIFE_LIVE:
		if (is_past(c->expires, w->now))
			expire(w, c, slot);
		else if ((w->set->drop_entry && is_dropped(w, c)) || is_orphan(w, c))
			end_conn(slot, w->now, true);
		break;
	case LIFE_DYING:
		/* at least one jiffy has passed since: a packet is through within microseconds */
		if (c->expires != w->now && __sync_val_compare_and_swap(&c->life, LIFE_DYING, LIFE_FREE) == LIFE_DYING)
			give_slot(slot);
		break;
	}
	return 0;
}

static __always_inline __u32 data_path_now(const struct settings *set)
{
	return (__u32)bpf_jiffies64() + set->clock_offset;
}

static __always_inline void sweep_slots(struct settings *set, struct table_state *table, __u32 from, __u32 count)
{
	struct sweep w = { .set = set, .table = table, .from = from, .now = data_path_now(set) };

	bpf_loop(count, sweep_slot, &w, 0);
}

static int sweep_tick(void *map, __u32 *key, struct sweep_timer *t)
{
	struct settings *set = settings_of();
	struct table_state *table = table_of();

	if (set && table) {
		__u32 slice = table->fresh / SWEEP_ROUNDS_PER_TABLE + SWEEP_SLICE_MIN;

		sweep_slots(set, table, table->sweep_at, slice);
		table->sweep_at += slice;
		if (table->sweep_at >= table->fresh)
			table->sweep_at = 0;
	}
	bpf_timer_start(&t->timer, SWEEP_PERIOD_NS, 0);
	return 0;
}

/* Run once by the daemon: starts the timer, or takes it over from the program of a daemon before. */
SEC("xdp")
int sweep_start(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct sweep_timer *t = bpf_map_lookup_elem(&sweep_timers, &zero);

	if (!t)
		return -1;
	bpf_timer_init(&t->timer, &sweep_timers, 1 /* CLOCK_MONOTONIC */);
	if (bpf_timer_set_callback(&t->timer, sweep_tick))
		return -2;
	return bpf_timer_start(&t->timer, SWEEP_PERIOD_NS, 0);
}

/* Run twice by the daemon, to learn how long a jiffy is. */
SEC("xdp")
int read_clock(struct xdp_md *ctx)
{
	return (int)bpf_jiffies64();
}

/* Run by tests and by the daemon: one whole round, now. */
SEC("xdp")
int sweep_all(struct xdp_md *ctx)
{
	struct settings *set = settings_of();
	struct table_state *table = table_of();

	if (!set || !table)
		return -1;
	sweep_slots(set, table, 0, table->fresh);
	return 0;
}
