/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * On a real server: takes off what a director's method tunnel put on (bpf/tunnel.h), so that no tunnel device is needed.
 *
 *   Ethernet | outer IP | nothing, GRE, or UDP and GUE | inner IP | ...   ->   Ethernet | inner IP | ...
 *
 * One decision, two hooks: rs_xdp, and rs_tc for links whose packets are GSO packets or have a checksum still to be finished.
 * Only what is sent to an address of this host's own, and inside to one of its VIPs, is stripped; all else passes untouched.
 */
#include <stddef.h>
#include "checksum.h"

#define ETH_LEN 14
#define TC_UNSPEC -1            /* the next filter, if any, has its turn */
#define TC_OK 0
#define TC_SHOT 2

#define IPV4_FRAGMENT 0x3fff    /* more fragments, or not the first one */
#define GRE_CHECKSUM_PRESENT 0x8000
#define GUE_DATA4 0x00          /* version 0, data, no optional fields (draft-ietf-intarea-gue) */

#define ECN_MASK 3
#define ECN_NONE 0
#define ECN_ECT1 1
#define ECN_CE 3

/* Since kernel 6.3; older ones answer EINVAL. */
#define DECAP_L3_IPV4 (1ULL << 7)
#define DECAP_L3_IPV6 (1ULL << 8)

/* How a packet left. The words are in src/realserver/exits.ts, in this order. */
enum exit {
	EXIT_IPIP,              /* stripped: these three */
	EXIT_GRE,
	EXIT_GUE,
	EXIT_NO_TUNNEL,         /* passed untouched, down to EXIT_NOT_A_VIP */
	EXIT_TRUNCATED,
	EXIT_FRAGMENT,
	EXIT_OUTER_HEADER,
	EXIT_NOT_OURS,
	EXIT_GRE_OPTIONS,
	EXIT_GUE_OPTIONS,
	EXIT_INNER_PROTOCOL,
	EXIT_INNER_HEADER,
	EXIT_NOT_A_VIP,
	EXIT_ECN,               /* dropped: congestion that the inner packet cannot tell its ends of */
	EXIT_FAILED,            /* dropped: the kernel would not shorten it */
	EXITS,
};
/* Not an exit: the next step. */
#define GO_ON EXITS

#define ADDRESS_OWN 1
#define ADDRESS_VIP 2
#define ADDRESSES_MAX 4096

/* IPv4 as ::ffff:a.b.c.d. */
struct address {
	__u32 w[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ADDRESSES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct address);
	__type(value, __u32);           /* ADDRESS_* */
} rs_addresses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);           /* the UDP port of GUE, host order; 0: none */
} rs_gue_port SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, EXITS);
	__type(key, __u32);
	__type(value, __u64);
} rs_exits SEC(".maps");

/* Set by a test: do as on a kernel before 6.3. */
const volatile bool without_decap_flags = false;

/* What has been found out about a packet. */
struct tunnel {
	__u32 at;               /* where the unread bytes begin, from the Ethernet header on */
	__u32 left;             /* bytes from there to the end that the outer header states */
	enum exit type;         /* EXIT_IPIP, EXIT_GRE or EXIT_GUE */
	__u8 protocol;          /* of what is at `at` */
	__u8 outer_family;
	__u8 inner_family;
	__u8 ecn;               /* the outer one */
};

static __always_inline bool is_known(const struct address *address, __u32 as)
{
	__u32 *value = bpf_map_lookup_elem(&rs_addresses, address);

	return value && (*value & as);
}

static __always_inline struct address address4(__u32 ip)
{
	return (struct address){ .w = { 0, 0, bpf_htonl(0xffff), ip } };
}

static __always_inline struct address address6(const struct in6_addr *ip)
{
	struct address a;

	__builtin_memcpy(&a, ip, sizeof(a));
	return a;
}

static __always_inline bool is_gue(const void *udp_at, const void *end)
{
	const struct udphdr *udp = udp_at;
	__u32 zero = 0, *port = bpf_map_lookup_elem(&rs_gue_port, &zero);

	return (void *)(udp + 1) <= end && port && *port && bpf_ntohs(udp->dest) == *port;
}

/* EXIT_NO_TUNNEL for what does not look like one; told before any address is looked up, since most packets end here. */
static __always_inline enum exit tunnel_type(__u8 protocol, const void *payload, const void *end)
{
	switch (protocol) {
	case IPPROTO_IPIP:
	case IPPROTO_IPV6: return EXIT_IPIP;
	case IPPROTO_GRE: return EXIT_GRE;
	case IPPROTO_UDP: return is_gue(payload, end) ? EXIT_GUE : EXIT_NO_TUNNEL;
	default: return EXIT_NO_TUNNEL;
	}
}

/* The stack will not look at the outer header again, so its checksum is for us to see to. */
static __always_inline bool is_sum_right(const struct iphdr *ip, __u32 header, const void *end)
{
	const __u32 *word = (const void *)ip;
	__u64 sum = 0;

#pragma clang loop unroll(full)
	for (__u32 i = 0; i < 15; i++) {
		if (i * 4 < header) {
			if ((void *)(word + i + 1) > end)
				return false;
			sum += word[i];
		}
	}
	return fold(sum) == 0xffff;
}

static __always_inline enum exit read_outer4(void *data, void *end, __u32 len, struct tunnel *t)
{
	struct iphdr *ip = data + ETH_LEN;
	struct address own;
	__u32 header, total;

	if ((void *)(ip + 1) > end)
		return EXIT_TRUNCATED;
	header = ip->ihl * 4;
	total = bpf_ntohs(ip->tot_len);
	if (ip->protocol == IPPROTO_UDP && ip->frag_off & bpf_htons(IPV4_FRAGMENT))
		return EXIT_NO_TUNNEL; /* of whatever: a later fragment has no port to tell by */
	t->type = tunnel_type(ip->protocol, (void *)ip + header, end);
	if (t->type == EXIT_NO_TUNNEL)
		return EXIT_NO_TUNNEL;
	own = address4(ip->daddr);
	if (!is_known(&own, ADDRESS_OWN))
		return EXIT_NOT_OURS;
	if (ip->frag_off & bpf_htons(IPV4_FRAGMENT))
		return EXIT_FRAGMENT;
	if (ip->version != 4 || header < sizeof(*ip) || total < header)
		return EXIT_OUTER_HEADER;
	if (ETH_LEN + total > len)
		return EXIT_TRUNCATED;
	if (!is_sum_right(ip, header, end))
		return EXIT_OUTER_HEADER;
	t->protocol = ip->protocol;
	t->ecn = ip->tos & ECN_MASK;
	t->outer_family = 4;
	t->at = ETH_LEN + header;
	t->left = total - header;
	return GO_ON;
}

/* Directors put no extension headers on; a packet that has some is left to the stack. */
static __always_inline enum exit read_outer6(void *data, void *end, __u32 len, struct tunnel *t)
{
	struct ipv6hdr *ip = data + ETH_LEN;
	struct address own;

	if ((void *)(ip + 1) > end)
		return EXIT_TRUNCATED;
	t->type = tunnel_type(ip->nexthdr, ip + 1, end);
	if (t->type == EXIT_NO_TUNNEL)
		return EXIT_NO_TUNNEL;
	own = address6(&ip->daddr);
	if (!is_known(&own, ADDRESS_OWN))
		return EXIT_NOT_OURS;
	if (ip->version != 6)
		return EXIT_OUTER_HEADER;
	t->left = bpf_ntohs(ip->payload_len);
	if (ETH_LEN + sizeof(*ip) + t->left > len)
		return EXIT_TRUNCATED;
	t->protocol = ip->nexthdr;
	t->ecn = (bpf_ntohl(*(__u32 *)ip) >> 20) & ECN_MASK;
	t->outer_family = 6;
	t->at = ETH_LEN + sizeof(*ip);
	return GO_ON;
}

static __always_inline enum exit skip(struct tunnel *t, __u32 bytes)
{
	if (t->left < bytes)
		return EXIT_TRUNCATED;
	t->at += bytes;
	t->left -= bytes;
	return GO_ON;
}

/*
 * RFC 2784; keys and sequence numbers (RFC 2890) are no director's. The checksum is stepped over: on tc it may not have been
 * computed yet, and the packet inside has its own.
 */
static __always_inline enum exit read_gre(void *data, void *end, struct tunnel *t)
{
	__u16 *gre = data + t->at;
	__u16 flags;

	if ((void *)(gre + 2) > end)
		return EXIT_TRUNCATED;
	flags = bpf_ntohs(gre[0]);
	if (flags & ~GRE_CHECKSUM_PRESENT)
		return EXIT_GRE_OPTIONS;
	switch (bpf_ntohs(gre[1])) {
	case ETH_P_IP: t->protocol = IPPROTO_IPIP; break;
	case ETH_P_IPV6: t->protocol = IPPROTO_IPV6; break;
	default: return EXIT_INNER_PROTOCOL;
	}
	return skip(t, flags & GRE_CHECKSUM_PRESENT ? 8 : 4);
}

/* The UDP checksum is stepped over for the same reasons. */
static __always_inline enum exit read_gue(void *data, void *end, struct tunnel *t)
{
	__u8 *gue = data + t->at + sizeof(struct udphdr);

	if ((void *)(gue + 4) > end)
		return EXIT_TRUNCATED;
	if (gue[0] != GUE_DATA4 || gue[2] || gue[3])
		return EXIT_GUE_OPTIONS;
	t->protocol = gue[1];
	return skip(t, sizeof(struct udphdr) + 4);
}

/* RFC 6040 section 4.2: the inner ECN field, given both; or EXIT_ECN. Only the outer one may have been marked on the way. */
static __always_inline int merged_ecn(__u8 outer, __u8 inner)
{
	if (outer == ECN_CE)
		return inner == ECN_NONE ? -EXIT_ECN : ECN_CE;
	if (outer == ECN_ECT1 && inner != ECN_NONE && inner != ECN_CE)
		return ECN_ECT1;
	return inner;
}

static __always_inline enum exit read_inner4(void *data, void *end, struct tunnel *t)
{
	struct iphdr *ip = data + t->at;
	struct address vip;
	__u16 *start = (__u16 *)ip, old;
	__u32 total;
	int ecn;

	if ((void *)(ip + 1) > end)
		return EXIT_TRUNCATED;
	total = bpf_ntohs(ip->tot_len);
	if (ip->version != 4 || ip->ihl < 5 || total < ip->ihl * 4)
		return EXIT_INNER_HEADER;
	if (total > t->left)
		return EXIT_TRUNCATED;
	vip = address4(ip->daddr);
	if (!is_known(&vip, ADDRESS_VIP))
		return EXIT_NOT_A_VIP;
	ecn = merged_ecn(t->ecn, ip->tos & ECN_MASK);
	if (ecn < 0)
		return EXIT_ECN;
	if (ecn != (ip->tos & ECN_MASK)) {
		old = *start;
		ip->tos = (ip->tos & ~ECN_MASK) | ecn;
		ip->check = update_checksum(ip->check, change(old, *start));
	}
	t->inner_family = 4;
	return GO_ON;
}

static __always_inline enum exit read_inner6(void *data, void *end, struct tunnel *t)
{
	struct ipv6hdr *ip = data + t->at;
	struct address vip;
	__u8 *byte = (void *)ip, old;
	int ecn;

	if ((void *)(ip + 1) > end)
		return EXIT_TRUNCATED;
	if (ip->version != 6)
		return EXIT_INNER_HEADER;
	if (sizeof(*ip) + bpf_ntohs(ip->payload_len) > t->left)
		return EXIT_TRUNCATED;
	vip = address6(&ip->daddr);
	if (!is_known(&vip, ADDRESS_VIP))
		return EXIT_NOT_A_VIP;
	old = byte[1] >> 4 & ECN_MASK; /* the traffic class is in the low half of the first byte and the high half of this */
	ecn = merged_ecn(t->ecn, old);
	if (ecn < 0)
		return EXIT_ECN;
	if (ecn != old)
		byte[1] = (byte[1] & ~(ECN_MASK << 4)) | ecn << 4;
	t->inner_family = 6;
	return GO_ON;
}

static __always_inline enum exit read_inner(void *data, void *end, struct tunnel *t)
{
	switch (t->protocol) {
	case IPPROTO_IPIP: return read_inner4(data, end, t);
	case IPPROTO_IPV6: return read_inner6(data, end, t);
	default: return EXIT_INNER_PROTOCOL;
	}
}

/* GO_ON: bytes from the Ethernet header to t->at are to go, and the inner ECN field is right already. */
static __always_inline enum exit read_tunnel(void *data, void *end, __u32 len, struct tunnel *t)
{
	struct ethhdr *eth = data;
	enum exit exit;

	if ((void *)(eth + 1) > end)
		return EXIT_TRUNCATED;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		exit = read_outer4(data, end, len, t);
	else if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		exit = read_outer6(data, end, len, t);
	else
		exit = EXIT_NO_TUNNEL;
	if (exit != GO_ON)
		return exit;
	if (t->type == EXIT_GRE)
		exit = read_gre(data, end, t);
	else if (t->type == EXIT_GUE)
		exit = read_gue(data, end, t);
	return exit == GO_ON ? read_inner(data, end, t) : exit;
}

static __always_inline void count(enum exit exit)
{
	__u32 key = exit;
	__u64 *counter = bpf_map_lookup_elem(&rs_exits, &key);

	if (counter)
		*counter += 1;
}

static __always_inline bool is_dropped(enum exit exit)
{
	return exit == EXIT_ECN || exit == EXIT_FAILED;
}

static __always_inline __u16 ethertype(const struct tunnel *t)
{
	return t->inner_family == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
}

static __always_inline bool strip_xdp(struct xdp_md *ctx, const struct tunnel *t)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct ethhdr saved;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return false;
	saved = *eth;
	saved.h_proto = ethertype(t);
	if (bpf_xdp_adjust_head(ctx, (int)(t->at - ETH_LEN)))
		return false;
	eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return false;
	*eth = saved;
	return true;
}

SEC("xdp")
int rs_xdp(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct tunnel t = {};
	enum exit exit = read_tunnel(data, end, (__u32)((long)end - (long)data), &t);

	if (exit == GO_ON)
		exit = strip_xdp(ctx, &t) ? t.type : EXIT_FAILED;
	count(exit);
	return is_dropped(exit) ? XDP_DROP : XDP_PASS;
}

/*
 * FIXED_GSO: segments stay as they are. Before kernel 6.3 no flag says that the family changes; there the packet is first
 * declared to be of the other one, which makes the difference between the two headers room, and that goes as well.
 */
static __always_inline bool shrink(struct __sk_buff *skb, const struct tunnel *t)
{
	int bytes = t->at - ETH_LEN;
	__u64 flags = t->inner_family == 4 ? DECAP_L3_IPV4 : DECAP_L3_IPV6;

	if (!without_decap_flags && bpf_skb_adjust_room(skb, -bytes, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO | flags) == 0)
		return true;
	if (t->inner_family != t->outer_family) {
		if (bpf_skb_change_proto(skb, ethertype(t), 0))
			return false;
		bytes += t->inner_family == 6 ? 20 : -20;
	}
	return bpf_skb_adjust_room(skb, -bytes, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO) == 0;
}

static __always_inline bool strip_tc(struct __sk_buff *skb, const struct tunnel *t)
{
	__u16 type = ethertype(t);

	return shrink(skb, t) && bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &type, sizeof(type), 0) == 0;
}

/* Both IP headers with options, UDP and GUE. */
#define HEADERS_MAX (ETH_LEN + 60 + 12 + 60)

SEC("tc")
int rs_tc(struct __sk_buff *skb)
{
	__u32 wanted = min(skb->len, HEADERS_MAX);
	struct tunnel t = {};
	enum exit exit;

	if ((__u32)((long)skb->data_end - (long)skb->data) < wanted)
		bpf_skb_pull_data(skb, wanted);
	exit = read_tunnel((void *)(long)skb->data, (void *)(long)skb->data_end, skb->len, &t);
	if (exit == GO_ON)
		exit = strip_tc(skb, &t) ? t.type : EXIT_FAILED;
	count(exit);
	if (is_dropped(exit))
		return TC_SHOT;
	/* A stripped packet is for this host: no director on the same interface may balance it once more. */
	return exit <= EXIT_GUE ? TC_OK : TC_UNSPEC;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
