/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Schedulers that walk a service's list once and keep the best (spec 3.3 to 3.6, 3.11, 3.12). Lists are newest dest first. */
#pragma once

#include "conn.h"
#include "dest.h"
#include "service.h"

static __always_inline __u32 member_at(__u32 at)
{
	__u32 *dest = bpf_map_lookup_elem(&members, &at);

	return dest ? *dest : MISS;
}

/*
 * Zero, which the verifier must not know. What a walk's step changes and then looks at has to begin with it: newer verifiers follow a
 * walk until nothing in it changes, and a place counted up from a known number never stops changing; those before 6.7 follow one
 * step only, and cut out of the program whatever cannot happen in the first.
 */
static __always_inline __u32 unknown_zero(__u32 i)
{
	__u32 same = i;

	opaque(same);
	return i - same;
}

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

static __always_inline __u32 pick_best(const struct service *s, enum scheduler scheduler)
{
	__u32 zero = unknown_zero(s->count);
	struct best_walk w = { .list = s->list, .scheduler = scheduler, .picked = MISS - zero, .cost = zero, .weight = zero };

	bpf_loop(s->count, best_step, &w, 0);
	return w.picked;
}
