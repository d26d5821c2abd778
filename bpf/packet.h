/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The packet as the stages see it, and how a stage ends. */
#pragma once

#include "maps.h"

/* A stage decides the packet's fate or hands it on. */
enum verdict { V_NEXT, V_DROP, V_PASS, V_TX, V_REDIRECT };

/* How a later lookup names a conn: its place and which of its two flows matched. */
enum direction { DIR_IN, DIR_OUT };

#define ETH_LEN 14

struct packet {
	void *ctx;
	void *data, *end;       /* the frame; both must be read again after its size was changed */
	struct settings *set;
	struct conn *conn;
	struct dest *dest;
	struct flow flow;       /* addresses, ports and protocol as they stand in the packet */
	__u32 now;              /* jiffies of the data path's clock */
	__u32 cpu;
	__u32 ifindex;          /* it came in by */
	__u32 slot;             /* of conn */
	__u32 l4;               /* offset of the transport header */
	__u32 len;              /* of the IP packet, bytes */
	__u32 direction;        /* enum direction: which flow of conn it matched */
	__u8 ttl;
	__u8 tcp_flags;
	__u8 df;                /* 1: must not be fragmented */
	__u8 fragment;          /* 0 whole, 1 first, 2 later */
};

/* Count the packet's exit and pass its verdict on. */
static __always_inline enum verdict leave(struct packet *p, enum exit_reason reason, enum verdict verdict)
{
	__u32 at = p->cpu * EXIT_ROW + reason;
	__u64 *n = bpf_map_lookup_elem(&exits, &at);

	if (likely(n))
		*n += 1;
	return verdict;
}

static __always_inline struct counters *counters_of(struct packet *p, __u32 dest)
{
	__u32 at = p->cpu * limits.counter_row + dest;

	return bpf_map_lookup_elem(&counters, &at);
}

static __always_inline bool same_addr(const struct addr *a, const struct addr *b, int family)
{
	if (a->w[0] != b->w[0])
		return false;
	return family == 4 || (a->w[1] == b->w[1] && a->w[2] == b->w[2] && a->w[3] == b->w[3]);
}

/* Ports, protocol, family and kind in one load. */
static __always_inline __u64 flow_tail(const struct flow *f)
{
	return *(const __u64 *)&f->sport;
}

static __always_inline bool same_flow(const struct flow *a, const struct flow *b, int family)
{
	return flow_tail(a) == flow_tail(b) && same_addr(&a->src, &b->src, family) && same_addr(&a->dst, &b->dst, family);
}

static __always_inline void reverse_flow(struct flow *to, const struct flow *from)
{
	to->src = from->dst;
	to->dst = from->src;
	to->sport = from->dport;
	to->dport = from->sport;
	to->protocol = from->protocol;
	to->family = from->family;
	to->kind = from->kind;
}
