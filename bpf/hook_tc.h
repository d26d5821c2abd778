/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * The tc side of hook_xdp.h's functions. What differs: a buffer may hold a packet much larger than the wire's (GSO), whose
 * payload is out of direct reach, and whose transport checksum may be for the device to finish.
 */
#pragma once

#include "packet.h"
#include "checksum.h"

#define HOOK_CONTEXT struct __sk_buff
#define TC_OK 0
#define TC_SHOT 2
#define TC_REDIRECT 7
/* Every header that the stages read, options included. */
#define HEADERS_MAX (ETH_LEN + 256)

static __always_inline void *hook_data(struct __sk_buff *skb)
{
	return hook_pointer(skb, __builtin_offsetof(struct __sk_buff, data));
}

static __always_inline void *hook_end(struct __sk_buff *skb)
{
	return hook_pointer(skb, __builtin_offsetof(struct __sk_buff, data_end));
}

/* The headers must be within direct reach. */
static __always_inline __u32 hook_begin(struct __sk_buff *skb)
{
	__u32 wanted = min(skb->len, HEADERS_MAX);

	if ((__u32)((long)hook_end(skb) - (long)hook_data(skb)) < wanted)
		bpf_skb_pull_data(skb, wanted);
	return skb->ifindex;
}

static __always_inline __u32 hook_room(struct __sk_buff *skb, __u32 room)
{
	return skb->len - ETH_LEN;
}

/* A GSO packet is as long on the wire as its headers and one segment. */
static __always_inline __u32 hook_wire_len(struct __sk_buff *skb, const struct packet *p)
{
	const __u8 *tcp = hook_data(skb) + l4_of(p);
	__u32 header = sizeof(struct udphdr);

	if (likely(skb->gso_size == 0))
		return p->len;
	if (p->flow.protocol == IPPROTO_TCP && (void *)(tcp + sizeof(struct tcphdr)) <= hook_end(skb))
		header = (tcp[12] >> 4) * 4;
	return p->l4 - ETH_LEN + header + skb->gso_size;
}

/* Copies bytes of the frame, wherever the buffer keeps them; 0 when they are there. */
static __always_inline long hook_load(struct __sk_buff *ctx, __u32 offset, void *to, __u32 bytes)
{
	return bpf_skb_load_bytes(ctx, offset, to, bytes);
}

/* All of the frame within direct reach. */
static __always_inline bool hook_linear(struct __sk_buff *skb)
{
	return bpf_skb_pull_data(skb, 0) == 0;
}

/* What is put in front. */
enum push { PUSH_ICMP, PUSH_TOA, PUSH_IPIP, PUSH_GRE, PUSH_UDP };

static __always_inline __u64 encap_flags(enum push what, int outer_family)
{
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO | (outer_family == 6 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV4);

	if (what == PUSH_GRE)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L4_GRE;
	if (what == PUSH_UDP)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L4_UDP;
	return flags;
}

/* Room for `bytes` more between the Ethernet and the IP header. */
static __always_inline bool hook_grow(struct __sk_buff *skb, int bytes, enum push what, int outer_family)
{
	__u64 flags = what == PUSH_ICMP || what == PUSH_TOA ? 0 : encap_flags(what, outer_family);

	return bpf_skb_adjust_room(skb, bytes, BPF_ADJ_ROOM_MAC, flags) == 0;
}

static __always_inline bool hook_shrink(struct __sk_buff *skb, __u32 bytes)
{
	return bpf_skb_adjust_room(skb, -(__s32)bytes, BPF_ADJ_ROOM_MAC, 0) == 0 && hook_linear(skb);
}

static __always_inline bool hook_trim(struct __sk_buff *skb, __u32 size)
{
	if (size < skb->len && bpf_skb_change_tail(skb, size, 0))
		return false;
	/* what is quoted in an ICMP error is summed byte by byte */
	return bpf_skb_pull_data(skb, 0) == 0;
}

static __always_inline __u32 to_wsum(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (sum & 0xffffffff) + (sum >> 32);
}

/* The helper knows whether the checksum is whole or to be finished by a device, where only the pseudo header counts. */
static __always_inline bool hook_fix_l4(struct __sk_buff *skb, __u32 offset, __u64 address_changes, __u64 port_changes, bool udp)
{
	__u16 *check = hook_data(skb) + offset;
	__u64 flags = udp ? BPF_F_MARK_MANGLED_0 : 0;

	if ((void *)(check + 1) > hook_end(skb))
		return false;
	if (udp && *check == 0)
		return true;
	if (bpf_l4_csum_replace(skb, offset, 0, to_wsum(address_changes), flags | BPF_F_PSEUDO_HDR))
		return false;
	/* each call costs some 20 ns, and NAT often keeps the port */
	return port_changes == NO_CHANGE || bpf_l4_csum_replace(skb, offset, 0, to_wsum(port_changes), flags) == 0;
}

static __always_inline enum verdict hook_send(const struct packet *p, __u32 ifindex)
{
	bpf_redirect(ifindex, 0);
	return ifindex == p->ifindex ? V_TX : V_REDIRECT;
}

static __always_inline int hook_verdict(enum verdict verdict)
{
	switch (verdict) {
	case V_DROP: return TC_SHOT;
	case V_TX:
	case V_REDIRECT: return TC_REDIRECT;
	default: return TC_OK;
	}
}
