/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Schedulers (spec chapter 3). Each picks the index of a dest, or MISS. Lists are walked in members' order, newest
 * dest first. What a scheduler remembers is one 64-bit word, changed by compare-and-swap: a lost race picks again.
 */
#pragma once

#include "sched_best.h"
#include "cache.h"

/* A pick that another CPU's overtook is tried again this often (before kernel 6.4 the verifier takes no loop round bpf_loop). */
#define RETRY 0xfffffffeu
#define TRY_AGAIN(pick, try) do { if ((pick) == RETRY) (pick) = (try); } while (0)

/* --- rr: the first usable dest after the last one picked ------------------------------------------------------- */

struct rr_walk {
	__u32 list, count;
	__u32 start;            /* the place after the last pick */
	__u32 picked;
};

static __always_inline long rr_try(__u32 i, struct rr_walk *w)
{
	__u32 position = w->start + i;
	__u32 index = member_at(w->list + (position < w->count ? position : position - w->count));
	struct dest *d = dest_at(index);

	if (!d || !is_usable(d))
		return 0;
	w->picked = index;
	return 1;
}

static long rr_step(__u32 i, struct rr_walk *w)
{
	return rr_try(i, w);
}

/* The place after the dest that a cursor names; the first one after the list's head. */
static __always_inline __u32 rr_start(const struct service *s, __u32 cursor)
{
	struct dest *d = cursor ? dest_at(cursor - 1) : 0;

	return d && d->position + 1 < s->count ? d->position + 1 : 0;
}

/* One try: the pick, MISS, or RETRY when another CPU picked meanwhile. */
static __noinline __u32 try_rr(const struct service *s, struct service_state *state)
{
	__u64 before = READ_ONCE(state->cursor);
	struct rr_walk w = { .list = s->list, .count = s->count, .start = rr_start(s, before), .picked = MISS };

	if (!rr_try(0, &w)) /* mostly the first one will do, and the loop costs 30 ns */
		bpf_loop(s->count, rr_step, &w, 0);
	if (w.picked == MISS)
		return MISS;
	return __sync_val_compare_and_swap(&state->cursor, before, (__u64)w.picked + 1) == before ? w.picked : RETRY;
}

/* --- wrr: a level falls from the greatest weight by their common divisor; a dest at or above it takes its turn ------ */

struct wrr_walk {
	__u32 list, count, step, top;
	__u32 position;         /* count: before the first */
	__u32 stop;             /* the last pass ends here; count: not yet in it */
	__u32 start;            /* where the walk began; count: at the head */
	__u32 picked;
	__s32 level;
	__u32 restarted, last_pass; /* bool */
};

#define WRR_MAX_STEPS (1 << 20)

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

static __noinline __u32 try_wrr(const struct service *s, struct service_state *state)
{
	__u64 before = READ_ONCE(state->cursor), now;
	__u32 zero = unknown_zero(s->count);
	struct wrr_walk w = {
		.list = s->list, .count = s->count, .step = s->wrr_step, .top = s->wrr_top,
		.position = wrr_position(s, before >> 32), .stop = ~0u - zero, .level = (__s32)before, .picked = MISS,
		.restarted = zero, .last_pass = zero,
	};

	if (s->wrr_top == 0)
		return MISS;
	w.start = w.position;
	bpf_loop(WRR_MAX_STEPS, wrr_step, &w, 0);
	now = (__u64)(w.position < w.count ? member_at(w.list + w.position) + 1 : 0) << 32 | (__u32)w.level;
	return __sync_val_compare_and_swap(&state->cursor, before, now) == before ? w.picked : RETRY;
}

/* --- dh, sh, mh: a table of dests built by the daemon, and a hash of the flow --------------------------------------- */

#define HASH_32 0x61c88647u

static __always_inline __u32 hash_32(__u32 x, __u32 bits)
{
	return x * HASH_32 >> (32 - bits);
}

/* An address as one word in host order: IPv6 folds its four. */
static __always_inline __u32 fold_addr(const struct addr *a)
{
	return bpf_ntohl(a->w[0] ^ a->w[1] ^ a->w[2] ^ a->w[3]);
}

#define ROTL(x, b) ((x) << (b) | (x) >> (64 - (b)))
#define SIP_ROUND do { \
	v0 += v1; v1 = ROTL(v1, 13); v1 ^= v0; v0 = ROTL(v0, 32); \
	v2 += v3; v3 = ROTL(v3, 16); v3 ^= v2; \
	v0 += v3; v3 = ROTL(v3, 21); v3 ^= v0; \
	v2 += v1; v1 = ROTL(v1, 17); v1 ^= v2; v2 = ROTL(v2, 32); \
} while (0)

#define MH_KEY 2654435761u

/* SipHash-1-3 of four bytes with both key halves alike (spec 3.13). */
static __always_inline __u32 mh_hash(__u32 word)
{
	__u64 v0 = 0x736f6d6570736575ULL ^ MH_KEY, v1 = 0x646f72616e646f6dULL ^ MH_KEY;
	__u64 v2 = 0x6c7967656e657261ULL ^ MH_KEY, v3 = 0x7465646279746573ULL ^ MH_KEY;
	__u64 b = (__u64)4 << 56 | word;

	v3 ^= b;
	SIP_ROUND;
	v0 ^= b;
	v2 ^= 0xff;
	SIP_ROUND;
	SIP_ROUND;
	SIP_ROUND;
	return v0 ^ v1 ^ v2 ^ v3;
}

struct table_walk {
	__u32 table, size, scheduler;
	__u32 word;             /* port + folded client address */
	__u32 offset;           /* added to each further try */
	__u32 picked;
};

static __always_inline __u32 table_slot(const struct table_walk *w, __u32 offset)
{
	if (w->scheduler == SCHED_MH)
		return mh_hash(w->word + offset) % w->size;
	return (offset + hash_32(w->word, 8)) & 255;
}

/* Look at one place of the table; true when the search is over. */
static __always_inline bool try_place(struct table_walk *w, __u32 place)
{
	__u32 index = member_at(w->table + place);
	struct dest *d;

	if (index == 0 || index == MISS)
		return true; /* an empty place stops a fallback */
	d = dest_at(index);
	if (d && is_available(d) && is_usable(d)) {
		w->picked = index;
		return true;
	}
	return false;
}

static long fallback_step(__u32 i, struct table_walk *w)
{
	__u32 offset = (w->offset + i) % w->size;

	return try_place(w, table_slot(w, offset));
}

static __always_inline __u32 pick_from_table(const struct service *s, const struct flow *f)
{
	struct table_walk w = { .table = s->table, .size = s->table_size, .scheduler = s->scheduler, .picked = MISS };
	__u32 place;

	if (w.size == 0)
		return MISS;
	if (s->scheduler == SCHED_DH) {
		try_place(&w, hash_32(fold_addr(&f->dst), 8));
		return w.picked;
	}
	w.word = fold_addr(&f->src) + (s->flags & SERVICE_SCHED2 ? bpf_ntohs(f->sport) : 0);
	place = table_slot(&w, 0);
	if (try_place(&w, place) || !(s->flags & SERVICE_SCHED1))
		return w.picked;
	w.offset = place;
	bpf_loop(w.size, fallback_step, &w, 0);
	return w.picked;
}

/* --- twos: the less loaded of two draws ------------------------------------------------------------------------------ */

struct twos_walk {
	__u32 list;
	__s64 total;
	__s64 draw[2];
	__u32 choice[2];
};

static long twos_sum(__u32 i, struct twos_walk *w)
{
	struct dest *d = dest_at(member_at(w->list + i));

	if (d && is_usable(d))
		w->total += d->weight;
	return 0;
}

static long twos_step(__u32 i, struct twos_walk *w)
{
	__u32 index = member_at(w->list + i);
	struct dest *d = dest_at(index);

	if (!d || !is_usable(d))
		return 0;
	w->draw[0] -= d->weight;
	w->draw[1] -= d->weight;
	if (w->draw[0] <= 0 && w->choice[0] == MISS)
		w->choice[0] = index;
	if (w->draw[1] <= 0 && w->choice[1] == MISS)
		w->choice[1] = index;
	return w->choice[0] != MISS && w->choice[1] != MISS;
}

static __always_inline __u32 pick_twos(const struct service *s)
{
	__u32 zero = unknown_zero(s->count);
	struct twos_walk w = { .list = s->list, .total = zero, .choice = { MISS - zero, MISS - zero } };
	struct dest *a, *b;

	bpf_loop(s->count, twos_sum, &w, 0);
	if (w.total == 0)
		return MISS;
	w.draw[0] = bpf_get_prandom_u32() % (__u64)(w.total + 1);
	w.draw[1] = bpf_get_prandom_u32() % (__u64)(w.total + 1);
	bpf_loop(s->count, twos_step, &w, 0);
	a = dest_at(w.choice[0]);
	b = dest_at(w.choice[1]);
	if (!a || !b)
		return w.choice[0];
	return (__s32)(b->weight * overhead(a)) > (__s32)(a->weight * overhead(b)) ? w.choice[1] : w.choice[0];
}

/* --- the table --------------------------------------------------------------------------------------------------- */

__noinline __u32 schedule_listed(const struct service *s, const struct flow *f)
{
	struct service_state *state;
	__u32 id, pick = MISS;

	if (!s || !f)
		return MISS;
	id = s->id;
	state = bpf_map_lookup_elem(&service_states, &id);
	if (!state || s->count == 0)
		return MISS;
	switch (s->scheduler) {
	case SCHED_RR:
		pick = try_rr(s, state);
		TRY_AGAIN(pick, try_rr(s, state));
		TRY_AGAIN(pick, try_rr(s, state));
		break;
	case SCHED_WRR:
		pick = try_wrr(s, state);
		TRY_AGAIN(pick, try_wrr(s, state));
		TRY_AGAIN(pick, try_wrr(s, state));
		break;
	case SCHED_LC:
	case SCHED_WLC:
	case SCHED_SED:
	case SCHED_NQ:
	case SCHED_FO:
	case SCHED_OVF:
		return pick_best(s, s->scheduler);
	case SCHED_DH:
	case SCHED_SH:
	case SCHED_MH:
		return pick_from_table(s, f);
	case SCHED_TWOS:
		return pick_twos(s);
	}
	return pick == RETRY ? MISS : pick;
}

/* The dest for a new conn of this flow, or MISS when no dest is usable. */
static __always_inline __u32 schedule(const struct service *s, const struct flow *f, __u32 now)
{
	if (s->scheduler == SCHED_LBLC || s->scheduler == SCHED_LBLCR)
		return schedule_cached(s, f, now);
	return schedule_listed(s, f);
}
