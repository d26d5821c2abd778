/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Every map. What each packet needs is in arrays: their lookups are inlined by the kernel and cost about a nanosecond.
 * Sizes marked "set at load" are placeholders.
 */
#pragma once

#include "abi.h"
#include "builtin.h"

/* An array that the daemon maps into its memory. */
#define MAPPED_ARRAY(name_, type_, entries_) \
	struct { \
		__uint(type, BPF_MAP_TYPE_ARRAY); \
		__uint(map_flags, BPF_F_MMAPABLE); \
		__uint(max_entries, entries_); \
		__type(key, __u32); \
		__type(value, type_); \
	} name_ SEC(".maps")

const volatile struct limits limits SEC(".rodata.limits") = {
	.capacity = 1024, .bucket_mask = 511, .counter_row = 1024, .max_dests = 1024,
};

#define EXIT_ROW 64     /* counters of one CPU in `exits`; EXIT_REASONS fits */

MAPPED_ARRAY(identity, struct identity, 1);

MAPPED_ARRAY(settings, struct settings, 1);

MAPPED_ARRAY(table_state, struct table_state, 1);

MAPPED_ARRAY(conns, struct conn, 1024); /* set at load: capacity, and one per CPU for one-packet conns */

MAPPED_ARRAY(buckets, struct bucket, 512); /* set at load */

/* Slots of conns that have been used and are free again. */
struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 1024);              /* set at load */
	__uint(value_size, sizeof(__u32));
} free_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);             /* set at load */
	__type(key, struct service_key);
	__type(value, struct service);
} services SEC(".maps");

/* By service id. */
MAPPED_ARRAY(service_states, struct service_state, 16384); /* set at load */

MAPPED_ARRAY(dests, struct dest, 1024); /* set at load */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct cache_key);
	__type(value, struct cache_entry);
} caches SEC(".maps");

/* Addresses and ports of NAT dests, for nat_icmp_send: struct service_key with the dest's address; the index of such a dest. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct service_key);
	__type(value, __u32);
} nat_dests SEC(".maps");

/*
 * Lists that services name by their first place: dests, newest first; hash tables of dests, 0 for an empty place; local
 * addresses.
 */
MAPPED_ARRAY(members, __u32, 4096); /* set at load */

MAPPED_ARRAY(laddrs, struct laddr, 4096);

/* lvsd's own mark rules, the first that fits counts. */
#define MARK_RULES 1024

MAPPED_ARRAY(marks, struct mark_rule, MARK_RULES);

/* Row of a CPU, then dest; after the dests, the services (struct limits). */
MAPPED_ARRAY(counters, struct counters, 1024); /* set at load: CPUs * counter_row */

/* Row of a CPU, then enum exit_reason. */
MAPPED_ARRAY(exits, __u64, EXIT_ROW); /* set at load: CPUs * EXIT_ROW */

/* By ifindex: our own MAC there, so that a frame flooded past somebody else is left alone. */
enum device_flag {
	DEVICE_KNOWN = 1,
	DEVICE_REDIRECT = 2,    /* XDP_TX is lost there (veth whose peer has no XDP program): redirect to itself instead */
};

struct device {
	__u8 mac[6];
	__u16 flags;            /* enum device_flag */
};

MAPPED_ARRAY(interfaces, struct device, 65536);

/* Which conn the later fragments of a datagram belong to. LRU: a lost entry costs a datagram, never a conn. */
struct fragment_key {
	struct addr src;
	struct addr dst;
	__u32 id;
	__u16 protocol;
	__u16 family;
};

struct fragment {
	__be16 sport;
	__be16 dport;
	__u32 seen;             /* jiffies */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct fragment_key);
	__type(value, struct fragment);
} fragments SEC(".maps");

struct sweep_timer {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sweep_timer);
} sweep_timers SEC(".maps");

/* What the daemon wants the next daemon to know and the data path does not need: JSON text. */
struct notes {
	char text[4096];
};

MAPPED_ARRAY(notes, struct notes, 1);

/* Names the enums in the object's BTF, for the generator. */
struct abi_words {
	enum exit_reason exit_reason;
	enum method method;
	enum scheduler scheduler;
	enum flow_kind flow_kind;
	enum hop_state hop_state;
	enum conn_flag conn_flag;
	enum conn_life conn_life;
	enum dest_flag dest_flag;
	enum dest_life dest_life;
	enum service_flag service_flag;
	enum protocol_row protocol_row;
	enum tcp_state tcp_state;
	enum device_flag device_flag;
};

const volatile struct abi_words abi_words SEC(".rodata.words") = {};
