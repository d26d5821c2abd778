/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* What the stages need from the hook they run on; this is the XDP side. hook_tc.h has the same functions. */
#pragma once

#include "packet.h"
#include "checksum.h"

#define HOOK_CONTEXT struct xdp_md

static __always_inline void hook_reload(struct packet *p)
{
	struct xdp_md *ctx = p->ctx;

	p->data = (void *)(long)ctx->data;
	p->end = (void *)(long)ctx->data_end;
}

static __always_inline void hook_begin(struct packet *p, struct xdp_md *ctx)
{
	p->ctx = ctx;
	p->ifindex = ctx->ingress_ifindex;
	hook_reload(p);
}

/* Room for `bytes` more at the front; the Ethernet header has to be written anew. */
static __always_inline bool hook_grow(struct packet *p, int bytes)
{
	if (bpf_xdp_adjust_head(p->ctx, -bytes))
		return false;
	hook_reload(p);
	return true;
}

/* Cut the frame down to `size` bytes. */
static __always_inline bool hook_trim(struct packet *p, __u32 size)
{
	__u32 now = (__u32)((long)p->end - (long)p->data);

	if (size < now && bpf_xdp_adjust_tail(p->ctx, -(int)(now - size)))
		return false;
	hook_reload(p);
	return true;
}

/*
 * Transport checksum after a rewrite: `address_changes` belong to the pseudo header, `port_changes` to the segment.
 * UDP: 0 means "none" and stays so; a computed 0 is sent as 0xffff (RFC 768).
 */
static __always_inline bool hook_fix_l4(struct packet *p, __u32 offset, __u64 address_changes, __u64 port_changes, bool udp)
{
	__u16 *check = p->data + offset;

	if ((void *)(check + 1) > p->end)
		return false;
	if (udp && *check == 0)
		return true;
	*check = update_checksum(*check, address_changes + port_changes);
	if (udp && *check == 0)
		*check = 0xffff;
	return true;
}

/* The frame leaves by the hop; its Ethernet header is already there. */
static __always_inline enum verdict hook_send(struct packet *p, __u32 ifindex)
{
	if (ifindex == p->ifindex)
		return V_TX;
	bpf_redirect(ifindex, 0);
	return V_REDIRECT;
}

static __always_inline int hook_verdict(enum verdict verdict)
{
	switch (verdict) {
	case V_DROP: return XDP_DROP;
	case V_TX: return XDP_TX;
	case V_REDIRECT: return XDP_REDIRECT;
	default: return XDP_PASS;
	}
}
