/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The last steps every method shares: TTL, MAC addresses, and out of an interface. */
#pragma once

#include "hook.h"

/* One hop less, and the header checksum with it. */
static __always_inline bool decrement_ttl(struct packet *p)
{
	struct iphdr *ip = p->data + ETH_LEN;

	if ((void *)(ip + 1) > p->end)
		return false;
	/* RFC 1624 for the word ttl|protocol, whose high byte falls by one: the sum rises by 0x0100 */
	__u32 check = (__u32)ip->check + bpf_htons(0x0100);

	ip->check = check + (check >= 0xffff);
	ip->ttl--;
	return true;
}

/* Write the Ethernet header and go. */
static __always_inline enum verdict send_to(struct packet *p, const struct hop *hop, __be16 ethertype, enum exit_reason reason)
{
	struct ethhdr *eth = p->data;
	__u32 *to = p->data;
	const __u32 *macs = (const void *)hop->dmac;

	if ((void *)(eth + 1) > p->end)
		return leave(p, EXIT_NO_ROOM, V_DROP);
	to[0] = macs[0];
	to[1] = macs[1];
	to[2] = macs[2];
	eth->h_proto = ethertype;
	return leave(p, reason, hook_send(p, hop->ifindex));
}
