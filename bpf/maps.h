/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Every map. All but `services` are arrays: their lookups are inlined by the kernel and cost about a nanosecond.
 * Sizes marked "set at load" are placeholders. Maps the daemon reads often are memory-mapped by it.
 */
#pragma once

#include "abi.h"
#include "builtin.h"

const volatile struct limits limits SEC(".rodata.limits") = {
	.capacity = 1024, .bucket_mask = 511, .counter_row = 1024, .max_dests = 1024,
};


#define EXIT_ROW 64     /* counters of one CPU in `exits`; EXIT_REASONS fits */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct identity);
} identity SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
} settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct table_state);
} table_state SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);              /* set at load: capacity, and one per CPU for one-packet conns */
	__type(key, __u32);
	__type(value, struct conn);
} conns SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 512);               /* set at load */
	__type(key, __u32);
	__type(value, struct bucket);
} buckets SEC(".maps");

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
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 16384);             /* set at load */
	__type(key, __u32);
	__type(value, struct service_state);
} service_states SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);              /* set at load */
	__type(key, __u32);
	__type(value, struct dest);
} dests SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct cache_key);
	__type(value, struct cache_entry);
} caches SEC(".maps");

/* Addresses and ports of NAT dests, for nat_icmp_send: struct service_key with the dest's address. */
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
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4096);              /* set at load */
	__type(key, __u32);
	__type(value, __u32);
} members SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct laddr);
} laddrs SEC(".maps");

/* lvsd's own mark rules, the first that fits counts. */
#define MARK_RULES 1024

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MARK_RULES);
	__type(key, __u32);
	__type(value, struct mark_rule);
} marks SEC(".maps");

/* Row of a CPU, then dest; after the dests, the services (struct limits). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);              /* set at load: CPUs * counter_row */
	__type(key, __u32);
	__type(value, struct counters);
} counters SEC(".maps");

/* Row of a CPU, then enum exit_reason. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, EXIT_ROW);          /* set at load: CPUs * EXIT_ROW */
	__type(key, __u32);
	__type(value, __u64);
} exits SEC(".maps");

/* By ifindex: our own MAC there, so that a frame flooded past somebody else is left alone. */
enum device_flag {
	DEVICE_KNOWN = 1,
	DEVICE_REDIRECT = 2,    /* XDP_TX is lost there (veth whose peer has no XDP program): redirect to itself instead */
};

struct device {
	__u8 mac[6];
	__u16 flags;            /* enum device_flag */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct device);
} interfaces SEC(".maps");

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

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct notes);
} notes SEC(".maps");

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
