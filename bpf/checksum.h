/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Internet checksums (RFC 1071) and their incremental change (RFC 1624). Sums are kept unfolded in 64 bits. */
#pragma once

#include "builtin.h"

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* What replacing the word `old` by `new` adds to a sum. */
static __always_inline __u64 change(__u32 old, __u32 new)
{
	return (__u64)(__u32)~old + new;
}

/* change(x, x) */
#define NO_CHANGE 0xffffffffull

/* RFC 1624: the new checksum without reading the payload. */
static __always_inline __u16 update_checksum(__u16 check, __u64 changes)
{
	return ~fold((__u16)~check + changes);
}
