/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* A dest's load: active and inactive conns, and the thresholds that depend on them (spec 2.4, 4.4). */
#pragma once

#include "packet.h"

/* Index 0 is no dest: the data path's own, of conns that bypass. */
#define NO_DEST 0

static __always_inline struct dest *dest_at(__u32 index)
{
	return bpf_map_lookup_elem(&dests, &index);
}

static __always_inline bool is_usable(const struct dest *d)
{
	return d->weight > 0 && !(d->flags & DEST_OVERLOAD);
}

/* What may be scheduled by hash tables, whose entries can outlive a dest. */
static __always_inline bool is_available(const struct dest *d)
{
	return d->flags & DEST_AVAILABLE;
}

/* Where a dest stops being overloaded: below its lower threshold, or 3/4 of the upper one. */
static __always_inline __u32 relief(const struct dest *d)
{
	return d->lower ? d->lower : d->upper - (d->upper >> 2);
}

static __always_inline void count_conn(struct dest *d)
{
	__u32 total = __sync_fetch_and_add(&d->total, 1) + 1;

	if (d->upper && total == d->upper && total >= relief(d))
		__sync_fetch_and_or(&d->flags, DEST_OVERLOAD);
}

static __always_inline void uncount_conn(struct dest *d)
{
	__u32 before = __sync_fetch_and_add(&d->total, -1);

	if (!d->upper || before != relief(d))
		return;
	if (before - 1 >= d->upper)
		__sync_fetch_and_or(&d->flags, DEST_OVERLOAD);
	else
		__sync_fetch_and_and(&d->flags, ~DEST_OVERLOAD);
}
