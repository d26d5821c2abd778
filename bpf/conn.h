/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * The connection table, and the only place that knows how conns are stored: slots in an array, found through
 * buckets of one cache line with two choices per flow. Inserting takes the first bucket until it is nearly full, then
 * the emptier one, so that the table takes several times its load before a flow finds both full.
 */
#pragma once

#include "packet.h"

#define NEARLY_FULL 6

struct place {
	__u32 bucket[2];
	__u32 tag;              /* 31 bits */
};

static __always_inline __u64 mix(__u64 h, __u64 word)
{
	h = (h ^ word) * 0x9fb21c651e98df25ULL;
	return h ^ (h >> 32);
}

static __always_inline struct place place_of(const struct settings *set, const struct flow *f, int family)
{
	__u64 h = set->seed[0];
	struct place place;

	if (family == 4) {
		h = mix(h, (__u64)f->src.w[0] << 32 | f->dst.w[0]);
	} else {
		h = mix(h, (__u64)f->src.w[0] << 32 | f->src.w[1]);
		h = mix(h, (__u64)f->src.w[2] << 32 | f->src.w[3]);
		h = mix(h, (__u64)f->dst.w[0] << 32 | f->dst.w[1]);
		h = mix(h, (__u64)f->dst.w[2] << 32 | f->dst.w[3]);
	}
	h = mix(h, flow_tail(f) ^ set->seed[1]);
	h *= 0xd6e8feb86659fd93ULL;
	place.bucket[0] = (h >> 8) & limits.bucket_mask;
	place.bucket[1] = (h >> 36) & limits.bucket_mask;
	place.tag = (h ^ (h >> 29)) >> 33;
	return place;
}

static __always_inline struct conn *conn_at(__u32 slot)
{
	return bpf_map_lookup_elem(&conns, &slot);
}

static __always_inline __u64 entry_of(__u32 tag, __u32 direction, __u32 slot)
{
	return (__u64)tag << 33 | (__u64)direction << 32 | (slot + 1);
}

#define MISS 0xffffffffu

struct match {
	struct conn *conn;
	__u32 slot;
	__u32 direction;
};

/* Is this entry the flow's, and its conn alive? A flow whose time is up is a stranger, swept or not. */
static __always_inline bool matches(struct match *m, __u64 entry, const struct flow *f, __u32 now, int family)
{
	__u32 slot = (__u32)entry - 1;
	struct conn *c = conn_at(slot);

	if (!c)
		return false;
	if (!same_flow((entry >> 32) & 1 ? &c->out : &c->in, f, family) || is_past(c->expires, now))
		return false;
	m->conn = c;
	m->slot = slot;
	m->direction = (entry >> 32) & 1;
	return true;
}

static __always_inline bool find_in_bucket(struct match *m, __u32 at, __u32 tag, const struct flow *f, __u32 now, int family)
{
	struct bucket *b = bpf_map_lookup_elem(&buckets, &at);

	if (!b)
		return false;
#pragma clang loop unroll(disable)
	for (int i = 0; i < BUCKET_ENTRIES; i++) {
		__u64 entry = READ_ONCE(b->entry[i]);

		if (unlikely(entry >> 33 == tag) && (__u32)entry && matches(m, entry, f, now, family))
			return true;
	}
	return false;
}

/* The conn that a packet of this flow belongs to. */
static __always_inline bool find_conn(struct match *m, const struct settings *set, const struct flow *f, __u32 now, int family)
{
	struct place place = place_of(set, f, family);

	return find_in_bucket(m, place.bucket[0], place.tag, f, now, family) ||
	       find_in_bucket(m, place.bucket[1], place.tag, f, now, family);
}

static __always_inline __u32 entries_in(const struct bucket *b)
{
	__u32 n = 0;

#pragma clang loop unroll(full)
	for (int i = 0; i < BUCKET_ENTRIES; i++) {
		__u64 sign = b->entry[i] | -b->entry[i];

		opaque(sign); /* or clang makes it a branch again, and the verifier follows 2^8 ways */
		n += sign >> 63;
	}
	return n;
}

static __always_inline struct flow *flow_of(struct conn *c, __u32 direction)
{
	return direction == DIR_OUT ? &c->out : &c->in;
}

/* An older entry of the same flow gives way, so that the newest conn is the one that is found (as in the kernel). */
static __always_inline bool replace(struct bucket *b, __u64 entry, const struct flow *f)
{
#pragma clang loop unroll(disable)
	for (int i = 0; i < BUCKET_ENTRIES; i++) {
		__u64 old = READ_ONCE(b->entry[i]);
		struct conn *c;

		if (likely(old >> 32 != entry >> 32))
			continue;
		c = conn_at((__u32)old - 1);
		if (c && same_flow(flow_of(c, (old >> 32) & 1), f, 6) && __sync_val_compare_and_swap(&b->entry[i], old, entry) == old)
			return true;
	}
	return false;
}

static __always_inline bool put(struct bucket *b, __u64 entry)
{
#pragma clang loop unroll(disable)
	for (int i = 0; i < BUCKET_ENTRIES; i++)
		if (b->entry[i] == 0 && __sync_val_compare_and_swap(&b->entry[i], 0, entry) == 0)
			return true;
	return false;
}

static __always_inline struct place place_of_any(const struct settings *set, const struct flow *f)
{
	return f->family == 4 ? place_of(set, f, 4) : place_of(set, f, 6);
}

/*
 * Let the conn in `slot` be found by one of its flows; false when both buckets are full. Global functions, like this one
 * and others that are not static, are verified once and not for each way that leads to them.
 */
__noinline bool index_flow(__u32 slot, __u32 direction)
{
	struct settings *set = settings_of();
	struct conn *c = conn_at(slot);
	struct bucket *first, *second;
	struct place place;
	__u64 entry;
	__u32 load;

	if (!set || !c)
		return false;
	place = place_of_any(set, flow_of(c, direction));
	first = bpf_map_lookup_elem(&buckets, &place.bucket[0]);
	second = bpf_map_lookup_elem(&buckets, &place.bucket[1]);
	if (!first || !second)
		return false;
	entry = entry_of(place.tag, direction, slot);
	if (replace(first, entry, flow_of(c, direction)) || replace(second, entry, flow_of(c, direction)))
		return true;
	load = entries_in(first);
	if (load >= NEARLY_FULL && entries_in(second) < load)
		return put(second, entry) || put(first, entry);
	return put(first, entry) || put(second, entry);
}

static __always_inline void remove_from(__u32 at, __u64 entry)
{
	struct bucket *b = bpf_map_lookup_elem(&buckets, &at);

	if (!b)
		return;
#pragma clang loop unroll(disable)
	for (int i = 0; i < BUCKET_ENTRIES; i++)
		if (b->entry[i] == entry)
			b->entry[i] = 0;
}

__noinline bool unindex_flow(__u32 slot, __u32 direction)
{
	struct settings *set = settings_of();
	struct conn *c = conn_at(slot);
	struct place place;
	__u64 entry;

	if (!set || !c)
		return false;
	place = place_of_any(set, flow_of(c, direction));
	entry = entry_of(place.tag, direction, slot);
	remove_from(place.bucket[0], entry);
	remove_from(place.bucket[1], entry);
	return true;
}

/* Only conns whose answers pass us are found by them; a template has no packets of its own. */
static __always_inline bool has_out_flow(const struct conn *c)
{
	return !(c->flags & CONN_TEMPLATE) && (c->method == METHOD_NAT || c->method == METHOD_FULLNAT);
}

/* A slot for a new conn, or MISS when the table is full. */
static __always_inline __u32 take_slot(struct table_state *table)
{
	__u32 slot;

	if (bpf_map_pop_elem(&free_slots, &slot) == 0)
		return slot;
	if (table->fresh >= limits.capacity)
		return MISS;
	slot = __sync_fetch_and_add(&table->fresh, 1);
	if (slot < limits.capacity)
		return slot;
	__sync_fetch_and_add(&table->fresh, -1);
	return MISS;
}

static __always_inline void give_slot(__u32 slot)
{
	bpf_map_push_elem(&free_slots, &slot, 0);
}
