/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Schedulers (spec chapter 3). Each picks the index of a dest, or MISS. Lists are walked in members' order, newest
 * dest first. What a scheduler remembers is one 64-bit word, changed by compare-and-swap: a lost race picks again.
 */
#pragma once

#include "conn.h"
#include "dest.h"
#include "service.h"

#define PICK_TRIES 4

static __always_inline __u32 member_at(__u32 at)
{
	__u32 *dest = bpf_map_lookup_elem(&members, &at);

	return dest ? *dest : MISS;
}

/* --- rr: the first usable dest after the last one picked ------------------------------------------------------- */

struct rr_walk {
	__u32 list, count;
	__u32 start;            /* the place after the last pick */
	__u32 picked;
};

static long rr_step(__u32 i, struct rr_walk *w)
{
	__u32 position = w->start + i;
	__u32 index = member_at(w->list + (position < w->count ? position : position - w->count));
	struct dest *d = dest_at(index);

	if (!d || !is_usable(d))
		return 0;
	w->picked = index;
	return 1;
}

/* The place after the dest that a cursor names; the first one after the list's head. */
static __always_inline __u32 rr_start(const struct service *s, __u32 cursor)
{
	struct dest *d = cursor ? dest_at(cursor - 1) : 0;

	return d && d->position + 1 < s->count ? d->position + 1 : 0;
}

static __always_inline __u32 pick_rr(const struct service *s, struct service_state *state)
{
	for (int i = 0; i < PICK_TRIES; i++) {
		__u64 before = READ_ONCE(state->cursor);
		struct rr_walk w = { .list = s->list, .count = s->count, .start = rr_start(s, before), .picked = MISS };

		bpf_loop(s->count, rr_step, &w, 0);
		if (w.picked == MISS)
			return MISS;
		if (i == PICK_TRIES - 1 || __sync_val_compare_and_swap(&state->cursor, before, (__u64)w.picked + 1) == before)
			return w.picked;
	}
	return MISS;
}

/* --- wrr: a level falls from the greatest weight by their common divisor; a dest at or above it takes its turn ------ */

struct wrr_walk {
	__u32 list, count, step, top;
	__u32 position;         /* count: before the first */
	__u32 stop;             /* the last pass ends here; count: not yet in it */
	__u32 start;            /* where the walk began; count: at the head */
	__u32 picked;
	__s32 level;
	bool restarted, last_pass;
};

#define WRR_MAX_STEPS (1 << 20)

/*
 * Zero, which the verifier must not know: it follows a walk until nothing in it changes, and a place counted up from
 * a known number never stops changing.
 */
static __always_inline __u32 unknown_zero(__u32 i)
{
	__u32 same = i;

	opaque(same);
	return i - same;
}

static long wrr_step(__u32 i, struct wrr_walk *w)
{
	__u32 next = w->position < w->count ? w->position + 1 : unknown_zero(i);
	__u32 index;
	struct dest *d;

	if (next < w->count) {
		w->position = next;
		index = member_at(w->list + next);
		d = dest_at(index);
		if (d && !(d->flags & DEST_OVERLOAD) && (__s32)d->weight >= w->level) {
			w->picked = index;
			return 1;
		}
		return next == w->stop;
	}

	/* the end of the list: one level down */
	w->position = w->count;
	w->level -= w->step;
	if (w->level <= 0) {
		w->level = w->top;
		if (w->last_pass || w->start == w->count)
			return 1;
		w->restarted = true;
	}
	w->last_pass = w->level <= (__s32)w->step;
	if (w->last_pass && w->restarted)
		w->stop = w->start;
	return 0;
}

static __always_inline __u32 wrr_position(const struct service *s, __u32 cursor)
{
	struct dest *d = cursor ? dest_at(cursor - 1) : 0;

	return d && d->position < s->count ? d->position : s->count;
}

static __always_inline __u32 pick_wrr(const struct service *s, struct service_state *state)
{
	if (s->wrr_top == 0)
		return MISS;
	for (int i = 0; i < PICK_TRIES; i++) {
		__u64 before = READ_ONCE(state->cursor), now;
		struct wrr_walk w = {
			.list = s->list, .count = s->count, .step = s->wrr_step, .top = s->wrr_top,
			.position = wrr_position(s, before >> 32), .stop = ~0u, .level = (__s32)before, .picked = MISS,
		};

		w.start = w.position;
		bpf_loop(WRR_MAX_STEPS, wrr_step, &w, 0);
		now = (__u64)(w.position < w.count ? member_at(w.list + w.position) + 1 : 0) << 32 | (__u32)w.level;
		if (i == PICK_TRIES - 1 || __sync_val_compare_and_swap(&state->cursor, before, now) == before)
			return w.picked;
	}
	return MISS;
}

/* --- lc, wlc, sed, nq, fo, ovf: one walk, keeping the best ------------------------------------------------------- */

struct best_walk {
	__u32 list, scheduler, picked;
	__s64 cost;             /* of the best so far */
	__s64 weight;           /* of the best so far */
};

/* An active conn weighs as much as 256 inactive ones; an active one is counted in the total too. */
static __always_inline __s64 overhead(const struct dest *d)
{
	return (__s32)((__u32)d->active * 256 + (__u32)d->total);
}

static long best_step(__u32 i, struct best_walk *w)
{
	__u32 index = member_at(w->list + i);
	struct dest *d = dest_at(index);
	__s64 cost, weight;

	if (!d || !is_usable(d))
		return 0;
	weight = d->weight;
	switch (w->scheduler) {
	case SCHED_LC:
		cost = overhead(d);
		weight = 1;
		break;
	case SCHED_WLC:
		cost = overhead(d);
		break;
	case SCHED_NQ:
		if (d->active == 0) {
			w->picked = index;
			return 1;
		}
		cost = (__s64)d->active + 1;
		break;
	case SCHED_OVF:
		if (d->active > (__s64)d->weight)
			return 0;
		cost = 1;
		break;
	case SCHED_SED:
		cost = (__s64)d->active + 1;
		break;
	default: /* SCHED_FO */
		cost = 1;
	}
	if (w->picked == MISS || w->cost * weight > cost * w->weight) {
		w->picked = index;
		w->cost = cost;
		w->weight = weight;
	}
	return 0;
}

static __always_inline __u32 pick_best(const struct service *s)
{
	struct best_walk w = { .list = s->list, .scheduler = s->scheduler, .picked = MISS };

	bpf_loop(s->count, best_step, &w, 0);
	return w.picked;
}

/* --- the table --------------------------------------------------------------------------------------------------- */

/* The dest for a new conn of this flow, or MISS when no dest is usable. */
__noinline __u32 schedule(const struct service *s, const struct flow *f)
{
	struct service_state *state;
	__u32 id;

	if (!s || !f)
		return MISS;
	id = s->id;
	state = bpf_map_lookup_elem(&service_states, &id);
	if (!state || s->count == 0)
		return MISS;
	switch (s->scheduler) {
	case SCHED_RR:
		return pick_rr(s, state);
	case SCHED_WRR:
		return pick_wrr(s, state);
	case SCHED_LC:
	case SCHED_WLC:
	case SCHED_SED:
	case SCHED_NQ:
	case SCHED_FO:
	case SCHED_OVF:
		return pick_best(s);
	default:
		return MISS;
	}
}
