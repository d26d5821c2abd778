/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Stage 1: Ethernet, IP and the transport header become a flow. What is malformed goes to the stack, which drops it. */
#pragma once

#include "packet.h"
#include "checksum.h"

#define IP_MF 0x2000
#define IP_DF 0x4000
#define IP_OFFSET 0x1fff

/* Frames that are not for us: multicast, or flooded past us by a switch that has not learnt yet. */
static __always_inline bool is_for_host(struct packet *p, const struct ethhdr *eth)
{
	const struct device *i = bpf_map_lookup_elem(&interfaces, &p->ifindex);

	if (eth->h_dest[0] & 1)
		return false;
	if (!i || !i->known)
		return true;
	return *(const __u32 *)eth->h_dest == *(const __u32 *)i->mac &&
	       *(const __u16 *)(eth->h_dest + 4) == *(const __u16 *)(i->mac + 4);
}

/* RFC 791: the header's sum, options included, is 0xffff. */
static __always_inline bool is_ip_sum_right(const struct iphdr *ip, __u32 ihl, const void *end)
{
	const __u32 *word = (const void *)ip;
	__u64 sum = (__u64)word[0] + word[1] + word[2] + word[3] + word[4];

	if (unlikely(ihl > sizeof(*ip))) {
		for (int i = 5; i < 15; i++) {
			if (i * 4 >= ihl)
				break;
			if ((const void *)(word + i + 1) > end)
				return false;
			sum += word[i];
		}
	}
	return fold(sum) == 0xffff;
}

/* Source and destination port, which TCP, UDP and SCTP share. */
struct ports {
	__be16 source;
	__be16 dest;
};

static __always_inline enum verdict parse_transport(struct packet *p, __u32 l4_len)
{
	const struct ports *ports = p->data + p->l4;

	if ((void *)(ports + 1) > p->end || l4_len < sizeof(*ports))
		return leave(p, EXIT_TRUNCATED, V_DROP);
	p->flow.sport = ports->source;
	p->flow.dport = ports->dest;

	if (p->flow.protocol == IPPROTO_TCP) {
		const __u8 *tcp = (const void *)ports;

		if ((void *)(tcp + sizeof(struct tcphdr)) > p->end || l4_len < sizeof(struct tcphdr))
			return leave(p, EXIT_TRUNCATED, V_DROP);
		p->tcp_flags = tcp[13];
	} else if (l4_len < sizeof(struct udphdr)) {
		return leave(p, EXIT_TRUNCATED, V_DROP);
	}
	return V_NEXT;
}

static __always_inline enum verdict parse4(struct packet *p)
{
	const struct ethhdr *eth = p->data;
	const struct iphdr *ip = (const void *)(eth + 1);
	__u32 room = (__u32)((long)p->end - (long)p->data) - ETH_LEN;
	__u32 ihl;
	__u16 fragment;

	if ((void *)(ip + 1) > p->end)
		return leave(p, EXIT_MALFORMED, V_PASS);
	ihl = ip->ihl * 4;
	p->len = bpf_ntohs(ip->tot_len);
	if (ip->version != 4 || ihl < sizeof(*ip) || p->len < ihl || p->len > room)
		return leave(p, EXIT_MALFORMED, V_PASS);
	if (unlikely(!is_ip_sum_right(ip, ihl, p->end)))
		return leave(p, EXIT_BAD_CHECKSUM, V_PASS);

	fragment = bpf_ntohs(ip->frag_off);
	p->df = (fragment & IP_DF) != 0;
	p->fragment = (fragment & IP_OFFSET) ? 2 : (fragment & IP_MF) ? 1 : 0;
	p->ttl = ip->ttl;
	p->l4 = ETH_LEN + ihl;
	p->flow.src.w[0] = ip->saddr;
	p->flow.dst.w[0] = ip->daddr;
	p->flow.protocol = ip->protocol;
	p->flow.family = 4;
	return V_NEXT;
}
