/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * lblc and lblcr (spec 3.7, 3.8): the schedulers of web caches. A destination address keeps its dest, or with lblcr its set of
 * dests, until that is overloaded while another idles. Idle entries are removed by the daemon.
 */
#pragma once

#include "sched_best.h"

static __always_inline bool may_hold(const struct dest *d)
{
	return d && is_available(d) && d->weight > 0;
}

struct idle_walk {
	__u32 list;
	__u32 found;
};

static long idle_step(__u32 i, struct idle_walk *w)
{
	struct dest *d = dest_at(member_at(w->list + i));

	if (!d || (__s64)d->active * 2 >= (__s64)d->weight)
		return 0;
	w->found = 1;
	return 1;
}

/* More active conns than weight, while some dest has less than half of its. The OVERLOAD flag does not matter here. */
static __always_inline bool is_crowded(const struct service *s, const struct dest *d)
{
	struct idle_walk w = { .list = s->list };

	if ((__s64)d->active <= (__s64)d->weight)
		return false;
	bpf_loop(s->count, idle_step, &w, 0);
	return w.found;
}

/* The least loaded member of the set that may take a conn, or MISS. */
static __always_inline __u32 least_member(const struct cache_entry *e)
{
	__u32 best = MISS;
	__s64 cost = 0, weight = 1;

#pragma clang loop unroll(disable)
	for (int i = 0; i < CACHE_SET; i++) {
		struct dest *d;

		if (i >= e->count)
			break;
		d = dest_at(e->dests[i]);
		if (!may_hold(d) || d->flags & DEST_OVERLOAD)
			continue;
		if (best == MISS || cost * d->weight > overhead(d) * weight) {
			best = e->dests[i];
			cost = overhead(d);
			weight = d->weight;
		}
	}
	return best;
}

/* The set has been too large for too long: its most loaded member goes. */
static __always_inline void thin_set(struct cache_entry *e, __u32 now)
{
	int worst = -1;
	__s64 cost = 0, weight = 1;

#pragma clang loop unroll(disable)
	for (int i = 0; i < CACHE_SET; i++) {
		struct dest *d;

		if (i >= e->count)
			break;
		d = dest_at(e->dests[i]);
		if (!d || d->weight == 0)
			continue;
		if (worst < 0 || cost * d->weight < overhead(d) * weight) {
			worst = i;
			cost = overhead(d);
			weight = d->weight;
		}
	}
	if (worst < 0)
		return;
#pragma clang loop unroll(disable)
	for (int i = 0; i < CACHE_SET - 1; i++)
		if (i >= worst)
			e->dests[i] = e->dests[i + 1];
	e->count--;
	e->lastmod = now;
}

/* Newest first; of a full set the oldest falls out. */
static __always_inline void join_set(struct cache_entry *e, __u32 dest, __u32 now)
{
#pragma clang loop unroll(disable)
	for (int i = 0; i < CACHE_SET; i++)
		if (i < e->count && e->dests[i] == dest)
			return;
#pragma clang loop unroll(disable)
	for (int i = CACHE_SET - 1; i > 0; i--)
		e->dests[i] = e->dests[i - 1];
	e->dests[0] = dest;
	if (e->count < CACHE_SET)
		e->count++;
	e->lastmod = now;
}

/* The dest that the entry holds for its address, or MISS when another is to be found. */
static __always_inline __u32 held_dest(const struct service *s, struct cache_entry *e, __u32 now, __u32 expiration)
{
	__u32 held = s->scheduler == SCHED_LBLC ? e->dests[0] : least_member(e);
	struct dest *d = dest_at(held);

	e->lastuse = now;
	if (s->scheduler == SCHED_LBLCR && e->count > 1 && (__s32)(now - (e->lastmod + expiration)) > 0)
		thin_set(e, now);
	return may_hold(d) && !is_crowded(s, d) ? held : MISS;
}

/* A full map is no harm: the pick counts all the same. */
static __always_inline void remember_dest(const struct cache_key *key, __u32 dest, __u32 now)
{
	struct cache_entry e = { .lastuse = now, .lastmod = now, .count = 1, .dests = { dest } };

	bpf_map_update_elem(&caches, key, &e, BPF_NOEXIST);
}

/* lblc and lblcr: a function apart from the other schedulers, for its place on the stack. */
__noinline __u32 schedule_cached(const struct service *s, const struct flow *f, __u32 now)
{
	struct settings *set = settings_of();
	struct cache_key key = {};
	struct cache_entry *e;
	__u32 picked;

	if (!s || !f || !set)
		return MISS;
	key.addr = f->dst;
	key.service = s->id;
	e = bpf_map_lookup_elem(&caches, &key);
	picked = e ? held_dest(s, e, now, set->lblcr_expiration) : MISS;
	if (picked != MISS)
		return picked;
	picked = pick_best(s, SCHED_WLC);
	if (picked == MISS)
		return MISS;
	if (!e)
		remember_dest(&key, picked, now);
	else if (s->scheduler == SCHED_LBLC)
		e->dests[0] = picked;
	else
		join_set(e, picked, now);
	return picked;
}
