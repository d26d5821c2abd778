/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* What the stages need from the hook they run on; this is the XDP side. hook_tc.h has the same functions. */
#pragma once

#include "packet.h"
#include "checksum.h"

#define HOOK_CONTEXT struct xdp_md

static __always_inline void *hook_data(struct xdp_md *ctx)
{
	return hook_pointer(ctx, __builtin_offsetof(struct xdp_md, data));
}

static __always_inline void *hook_end(struct xdp_md *ctx)
{
	return hook_pointer(ctx, __builtin_offsetof(struct xdp_md, data_end));
}

static __always_inline __u32 hook_begin(struct xdp_md *ctx)
{
	return ctx->ingress_ifindex;
}

/* Bytes of the IP packet that are there: `room` of them can be reached, which is all on XDP. */
static __always_inline __u32 hook_room(struct xdp_md *ctx, __u32 room)
{
	return room;
}

/* A frame is one packet on the wire. */
static __always_inline __u32 hook_wire_len(struct xdp_md *ctx, const struct packet *p)
{
	return p->len;
}

/* Copies bytes of the frame, wherever the buffer keeps them; 0 when they are there. */
static __always_inline long hook_load(struct xdp_md *ctx, __u32 offset, void *to, __u32 bytes)
{
	return bpf_xdp_load_bytes(ctx, offset, to, bytes);
}

/* All of the frame is within direct reach. */
static __always_inline bool hook_linear(struct xdp_md *ctx)
{
	return true;
}

/* What is put in front, which tc wants to know. */
enum push { PUSH_ICMP, PUSH_TOA, PUSH_IPIP, PUSH_GRE, PUSH_UDP };

/* Room for `bytes` more at the front; the Ethernet header has to be written anew. */
static __always_inline bool hook_grow(struct xdp_md *ctx, int bytes, enum push what, int outer_family)
{
	return bpf_xdp_adjust_head(ctx, -bytes) == 0;
}

/* `bytes` less at the front; the Ethernet header has to be written anew. */
static __always_inline bool hook_shrink(struct xdp_md *ctx, __u32 bytes)
{
	return bpf_xdp_adjust_head(ctx, bytes) == 0;
}

/* Cut the frame down to `size` bytes. */
static __always_inline bool hook_trim(struct xdp_md *ctx, __u32 size)
{
	__u32 now = (__u32)((long)hook_end(ctx) - (long)hook_data(ctx));

	return size >= now || bpf_xdp_adjust_tail(ctx, -(int)(now - size)) == 0;
}

/*
 * Transport checksum after a rewrite: `address_changes` belong to the pseudo header, `port_changes` to the segment.
 * UDP: 0 means "none" and stays so; a computed 0 is sent as 0xffff (RFC 768).
 */
static __always_inline bool hook_fix_l4(struct xdp_md *ctx, __u32 offset, __u64 address_changes, __u64 port_changes, bool udp)
{
	__u16 *check = hook_data(ctx) + offset;

	if ((void *)(check + 1) > hook_end(ctx))
		return false;
	if (udp && *check == 0)
		return true;
	*check = update_checksum(*check, address_changes + port_changes);
	if (udp && *check == 0)
		*check = 0xffff;
	return true;
}

/* The frame leaves by the hop; its Ethernet header is already there. */
static __always_inline enum verdict hook_send(const struct packet *p, __u32 ifindex)
{
	if (ifindex == p->ifindex && !p->redirect)
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
