/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* TUN: an outer header in front, the packet inside as it is (spec 5.5). */
#pragma once

#include "transmit.h"

#define IPIP_OVERHEAD 20

/* RFC 6040: an inner CE must not be copied outward. */
static __always_inline __u8 outer_tos(__u8 inner)
{
	return (inner & 3) == 3 ? (inner & 0xfc) | 2 : inner;
}

/* RFC 2003. The inner TTL has been decremented already. */
static __always_inline bool push_ipip(struct packet *p, const struct dest *d, bool df)
{
	struct iphdr *inner = p->data + ETH_LEN, *outer;
	__u32 w0, w1, w2;

	if ((void *)(inner + 1) > p->end)
		return false;
	/* version, ihl, tos, length | id, DF | ttl, protocol: as three words in memory order */
	w0 = 0x45 | (__u32)outer_tos(inner->tos) << 8 | (__u32)bpf_htons(p->len + IPIP_OVERHEAD) << 16;
	w1 = (__u32)inner->id | (df ? (__u32)bpf_htons(IP_DF) << 16 : 0);
	w2 = (__u32)inner->ttl | (__u32)IPPROTO_IPIP << 8;
	if (!hook_grow(p, IPIP_OVERHEAD))
		return false;
	outer = p->data + ETH_LEN;
	if ((void *)(outer + 1) > p->end)
		return false;
	__u32 *word = (void *)outer;

	word[0] = w0;
	word[1] = w1;
	word[2] = w2 | (__u32)(__u16)~fold((__u64)w0 + w1 + w2 + d->source.w[0] + d->addr.w[0]) << 16;
	word[3] = d->source.w[0];
	word[4] = d->addr.w[0];
	return true;
}
