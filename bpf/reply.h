/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Towards the client: a dest's answers, and errors about its requests. */
#pragma once

#include "state.h"
#include "rewrite.h"
#include "toa.h"
#include "icmp_send.h"

/* The client's next hop and the MTU of the way to it, looked up when routes have changed since, which includes never. */
static __noinline bool refresh_client_hop(HOOK_CONTEXT *ctx, __u32 ifindex, struct conn *c, __u32 generation)
{
	/* a length of 1: on tc, without any, this packet is held against the MTU, but the hop is for all of them */
	struct bpf_fib_lookup fib = { .l4_protocol = c->in.protocol, .ifindex = ifindex, .tot_len = 1 };

	if (c->in.family == 4) {
		fib.family = 2; /* AF_INET */
		fib.ipv4_src = c->in.dst.w[0];
		fib.ipv4_dst = c->in.src.w[0];
	} else {
		fib.family = 10; /* AF_INET6 */
		copy_addr(fib.ipv6_src, &c->in.dst);
		copy_addr(fib.ipv6_dst, &c->in.src);
	}
	if (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return false;
	__builtin_memcpy(c->hop.dmac, fib.dmac, 6);
	__builtin_memcpy(c->hop.smac, fib.smac, 6);
	c->hop.ifindex = fib.ifindex;
	c->mtu = fib.mtu_result;
	c->hop.generation = generation;
	return true;
}

static __always_inline bool knows_client_hop(HOOK_CONTEXT *ctx, const struct packet *p, const struct settings *set, struct conn *c)
{
	return likely(c->hop.generation == set->generation) || refresh_client_hop(ctx, p->ifindex, c, set->generation);
}

static __always_inline enum verdict send_to_client(HOOK_CONTEXT *ctx, struct packet *p, struct conn *c, bool has_hop,
						    enum exit_reason reason)
{
	if (unlikely(!has_hop))
		return leave(p, EXIT_REPLY_SLOW, V_PASS);
	if (!decrement_ttl(ctx, p))
		return leave(p, EXIT_BUG, V_DROP);
	return send_to(ctx, p, &c->hop, p->flow.family, reason);
}

/* Too long for the way to the client: the dest is told as by any router, about the packet as it sent it (RFC 1191, RFC 8201). */
static __always_inline enum verdict refuse_reply(HOOK_CONTEXT *ctx, struct packet *p, const struct conn *c)
{
	p->stray = c->dest;
	return refuse(ctx, p, TROUBLE_TOO_BIG, c->mtu, EXIT_TOO_BIG, EXIT_TOO_BIG_QUIET);
}

/* A dest's answer: its source becomes the service's address again. */
static __always_inline enum verdict reply(HOOK_CONTEXT *ctx, struct packet *p, struct settings *set, struct conn *c, struct dest *d)
{
	bool has_hop;

	if (p->ttl <= 1)
		return leave(p, EXIT_TTL, V_PASS);  /* untouched: the stack tells the dest */
	has_hop = knows_client_hop(ctx, p, set, c);
	if (has_hop && unlikely(p->wire_len > c->mtu))
		return refuse_reply(ctx, p, c);
	if (likely(is_available(d)))
		count_out(p, c);
	track(p, set, c, d);
	note_server_isn(ctx, p, c);
	if (!rewrite(ctx, p, &c->in))
		return leave(p, EXIT_TRUNCATED, V_DROP);
	return send_to_client(ctx, p, c, has_hop, c->method == METHOD_FULLNAT ? EXIT_FULLNAT_REPLY : EXIT_NAT_REPLY);
}
