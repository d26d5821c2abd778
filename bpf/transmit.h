/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The last steps every method shares: TTL, MAC addresses, and out of an interface. */
#pragma once

#include "parse.h"

/* One hop less, and for IPv4 the header checksum with it. */
static __always_inline bool decrement_ttl(HOOK_CONTEXT *ctx, const struct packet *p)
{
	struct iphdr *ip = hook_data(ctx) + ETH_LEN;
	__u32 check;

	if ((void *)(ip + 1) > hook_end(ctx))
		return false;
	if (p->flow.family == 6) {
		((struct ipv6hdr *)ip)->hop_limit--;
		return true;
	}
	/* RFC 1624 for the word ttl|protocol, whose high byte falls by one: the sum rises by 0x0100 */
	check = (__u32)ip->check + bpf_htons(0x0100);
	ip->check = check + (check >= 0xffff);
	ip->ttl--;
	return true;
}

/* Write the Ethernet header and go. `family` is that of the outermost IP header. */
static __always_inline enum verdict send_to(HOOK_CONTEXT *ctx, struct packet *p, const struct hop *hop, int family,
					     enum exit_reason reason)
{
	struct ethhdr *eth = hook_data(ctx);
	__u32 *to = (void *)eth;
	const __u32 *macs = (const void *)hop->dmac;

	if ((void *)(eth + 1) > hook_end(ctx))
		return leave(p, EXIT_NO_ROOM, V_DROP);
	to[0] = macs[0];
	to[1] = macs[1];
	to[2] = macs[2];
	eth->h_proto = ethertype_of(family);
	return leave(p, reason, hook_send(p, hop->ifindex));
}
