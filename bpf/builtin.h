/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The kernel's and libbpf's own headers, and the few words every stage uses. */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define min(a, b) ((a) < (b) ? (a) : (b))
/* A value the compiler must take as it finds it: keeps a bound that the verifier is to see. */
#define opaque(x) asm volatile("" : "+r"(x))

#define READ_ONCE(x) (*(volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile typeof(x) *)&(x) = (v))

/* Time passes in low 32 bits of jiffies: compare by distance. */
static __always_inline bool is_past(__u32 time, __u32 now)
{
	return (__s32)(time - now) <= 0;
}

/*
 * An index below `size`, a power of two. The mask comes last and stays there: clang would move it before the | or ^ that made
 * the index, and kernels before 6.10 know no bound of what those give.
 */
static __always_inline __u32 below(__u32 size, __u32 index)
{
	opaque(index);
	return index & (size - 1);
}
