/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The packet as the stages see it, how a stage ends, and small things about addresses and flows. */
#pragma once

#include "maps.h"
#include "checksum.h"

/* A stage decides the packet's fate or hands it on. */
enum verdict {
	V_NEXT, V_DROP, V_PASS, V_TX, V_REDIRECT,
	V_TO_CLIENT, V_TO_DEST, /* icmp_error's: done, and to be sent on as packets of the conn in p->slot are */
	V_TUNNEL_ERROR,         /* icmp_error's: about no packet of a conn, but maybe about a tunnel's */
};

/* How a later lookup names a conn: its place and which of its two flows matched. */
enum direction { DIR_IN, DIR_OUT };

#define ETH_LEN 14

/* What is known of it: no pointers, so that functions verified on their own can take it. */
struct packet {
	struct flow flow;       /* addresses, ports and protocol as they stand in the packet */
	__u32 now;              /* jiffies of the data path's clock */
	__u32 cpu;
	__u32 ifindex;          /* it came in by */
	__u32 slot;             /* of its conn */
	__u32 direction;        /* enum direction: which flow of the conn it matched */
	__u32 l4;               /* offset of the transport header */
	__u32 len;              /* of the IP packet, bytes */
	__u32 wire_len;         /* of the largest IP packet it becomes on the wire: less than len for GSO */
	__u32 fragment_id;
	__u32 mark;             /* by lvsd's own rules; looked up for new conns only */
	__u32 stray;            /* the dest that a stray answer is from (nat_icmp_send) */
	__u8 ttl;
	__u8 tcp_flags;
	__u8 df;                /* 1: must not be fragmented */
	__u8 fragment;          /* enum fragment_kind */
	__u8 sctp_event;
	__u8 redirect;          /* 1: XDP_TX would be lost where it came in */
};

/* LATER_FRAGMENT also stands for what follows a conn without ports and state of its own: AH and ESP. */
enum fragment_kind { WHOLE, FIRST_FRAGMENT, LATER_FRAGMENT };

static __always_inline struct settings *settings_of(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&settings, &zero);
}

static __always_inline struct table_state *table_of(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&table_state, &zero);
}

/* The transport header's offset, with a bound that the verifier sees wherever the packet has been. */
static __always_inline __u32 l4_of(const struct packet *p)
{
	return p->l4 & 0x3ff;
}

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

static __always_inline void count_in(struct packet *p, const struct conn *c)
{
	struct counters *n = counters_of(p, c->dest);

	if (likely(n)) {
		n->in_pkts++;
		n->in_bytes += p->len;
	}
}

static __always_inline void count_out(struct packet *p, const struct conn *c)
{
	struct counters *n = counters_of(p, c->dest);

	if (likely(n)) {
		n->out_pkts++;
		n->out_bytes += p->len;
	}
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

/* What has to be added to a checksum over an address that becomes another one. */
static __always_inline __u64 addr_change(const struct addr *old, const struct addr *new, int family)
{
	__u64 sum = 0;

#pragma clang loop unroll(full)
	for (int i = 0; i < (family == 6 ? 4 : 1); i++) {
		sum += change(old->w[i], new->w[i]);
		opaque(sum); /* or clang keeps all the words on the stack, to add them later */
	}
	return sum;
}

static __always_inline void copy_addr(void *to, const struct addr *from)
{
	__u32 *word = to;

	word[0] = from->w[0];
	word[1] = from->w[1];
	word[2] = from->w[2];
	word[3] = from->w[3];
}

static __always_inline __be16 ethertype_of(int family)
{
	return family == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
}

/* A pointer field of the context. By hand, since clang may fold offset and context into what the verifier refuses. */
#define hook_pointer(ctx, offset) ({ \
	long value_; \
	asm volatile("%0 = *(u32 *)(%1 + %2)" : "=r"(value_) : "r"(ctx), "i"(offset)); \
	(void *)value_; \
})
