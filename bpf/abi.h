/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * What the data path and the daemon must agree on, written once. The TypeScript side (src/director/xdp/abi.gen.ts) is
 * generated from this file's BTF. Padding is spelled out: map keys are compared byte by byte.
 *
 * Addresses and ports are in network order; times are jiffies of the data path's clock (low 32 bits) unless named
 * otherwise. IPv4 addresses stand in the first word, the other three are zero.
 */
#pragma once

#include <linux/types.h>

/* Every way a packet leaves the pipeline. The words are the same in counters, `lvsctl status` and the model. */
enum exit_reason {
	/* forwarded */
	EXIT_NAT,
	EXIT_NAT_REPLY,
	EXIT_ROUTE,
	EXIT_TUNNEL,
	EXIT_FULLNAT,
	EXIT_FULLNAT_REPLY,
	EXIT_LOCAL_REPLY,       /* its answer, on the way out */
	EXIT_LOCAL,             /* the dest is the director itself: to the local stack */
	EXIT_BYPASS,            /* cache_bypass: on to the packet's own destination */
	EXIT_ICMP_RELATED,      /* an ICMP error about a conn, taken to the side it is for */
	/* not ours: to the local stack, untouched */
	EXIT_NOT_IP,
	EXIT_MALFORMED,         /* a header does not fit or contradicts the frame: the stack will count and drop it */
	EXIT_BAD_CHECKSUM,      /* IP header checksum */
	EXIT_PROTOCOL,          /* an IP protocol that no service can have */
	EXIT_NO_SERVICE,
	EXIT_NOT_SCHEDULED,     /* a service is there, but this packet opens no conn (no SYN, source port 20, …) */
	EXIT_FRAGMENT_UNKNOWN,  /* a later fragment whose first was not seen */
	EXIT_ICMP,              /* ICMP that is about no conn */
	EXIT_NOT_HOST,          /* a frame for somebody else's MAC, or multicast */
	EXIT_REPLY_SLOW,        /* a reply whose next hop is not known yet: rewritten, then routed by the stack */
	/* dropped */
	EXIT_NO_DEST,           /* no usable dest: answered by ICMP port unreachable */
	EXIT_NO_DEST_QUIET,     /* the same where no ICMP may be sent (rate limit, about an ICMP error) */
	EXIT_TABLE_FULL,        /* no room for a new conn */
	EXIT_NO_LOCAL_ADDRESS,  /* FullNAT: pool empty, or every port tried is in use */
	EXIT_DEST_GONE,         /* the conn's dest was removed */
	EXIT_HOP_UNRESOLVED,    /* the dest's MAC is not known (yet) */
	EXIT_UNREACHABLE,       /* no route to the dest: answered by ICMP host unreachable */
	EXIT_TTL,               /* answered by ICMP time exceeded */
	EXIT_TOO_BIG,           /* answered by ICMP fragmentation needed */
	EXIT_TOO_BIG_QUIET,     /* too big, and no ICMP may be sent */
	EXIT_NO_ROOM,           /* the frame cannot be grown or cut */
	EXIT_ICMP_CHECKSUM,     /* an ICMP error about a NAT conn with a wrong checksum */
	EXIT_ICMP_SWALLOWED,    /* an ICMP error about a tunnel, of use to the director only */
	EXIT_TRUNCATED,         /* cut inside the transport header of a conn's packet */
	EXIT_DROP_PACKET,       /* the drop_packet defence */
	EXIT_NAT_ICMP_SEND,     /* a stray packet of a real server, answered by ICMP port unreachable (nat_icmp_send) */
	EXIT_BUG,               /* what cannot happen: a map of the program's own is missing an entry */
	EXIT_REASONS,
};

enum method { METHOD_NAT, METHOD_LOCAL, METHOD_TUNNEL, METHOD_ROUTE, METHOD_BYPASS, METHOD_FULLNAT };

enum scheduler {
	SCHED_NONE, SCHED_RR, SCHED_WRR, SCHED_LC, SCHED_WLC, SCHED_LBLC, SCHED_LBLCR, SCHED_DH, SCHED_SH, SCHED_SED,
	SCHED_NQ, SCHED_FO, SCHED_OVF, SCHED_MH, SCHED_TWOS,
};

struct addr {
	__be32 w[4];
};

enum flow_kind { FLOW_PACKET, FLOW_TEMPLATE };

/* Who speaks to whom. A conn has two: `in` as the client writes it, `out` as the dest answers. */
struct flow {
	struct addr src;
	struct addr dst;
	__be16 sport;
	__be16 dport;
	__u8 protocol;
	__u8 family;            /* 4 or 6 */
	__u16 kind;             /* enum flow_kind: templates share the table and never match a packet */
} __attribute__((aligned(8)));

/* Where a frame goes next. */
struct hop {
	__u32 ifindex;
	__u32 generation;       /* of the routes it was learnt from (client side), or enum hop_state (dest side) */
	__u8 dmac[6];
	__u8 smac[6];
};

enum hop_state { HOP_UNRESOLVED, HOP_RESOLVED, HOP_LOCAL, HOP_UNREACHABLE };

/* IP_VS_CONN_F_*, spec 4.3; TOA and ANSWERED are our own. */
enum conn_flag {
	CONN_SYNC = 0x0020,
	CONN_NOOUTPUT = 0x0080,
	CONN_INACTIVE = 0x0100,
	CONN_NO_CPORT = 0x0800,
	CONN_TEMPLATE = 0x1000,
	CONN_ONE_PACKET = 0x2000,
	CONN_TOA = 0x4000,      /* the client's address goes along in a TCP option until the server has sent data */
	CONN_ANSWERED = 0x8000, /* the dest has sent something */
};

enum conn_life { LIFE_FREE, LIFE_LIVE, LIFE_DYING };

/*
 * A flow that has been given a dest. 192 bytes: an established packet touches one cache line, or two where it is rewritten.
 * NAT and FullNAT are one thing here: a packet that matches `in` leaves as the reverse of `out`, and the other way
 * round; for NAT the client's address is simply the same on both sides.
 */
struct conn {
	/* line 0: all that DR and TUN touch */
	struct flow in;         /* client -> service */
	__u32 dest;             /* index into dests */
	__u16 flags;
	__u8 state;
	__u8 method;
	__u32 expires;
	__u32 timeout;
	__u32 in_pkts;
	__u32 control;          /* the template's slot + 1, 0: none */
	/* line 1: what rewriting needs */
	struct flow out;        /* dest -> client (FullNAT: dest -> local address) */
	struct hop hop;         /* towards the client */
	__u32 mtu;              /* of the way there, bytes */
	/* cold */
	__u32 n_control;        /* conns that name this one as their control */
	__u32 life;             /* enum conn_life */
	__u32 service;          /* id */
	__u32 fwmark;
	__u32 laddr;            /* FullNAT: index into laddrs + 1 */
	__u32 server_isn;       /* FullNAT with TOA: the server's initial sequence number, host order */
	__u32 sync_endtime;     /* connection synchronisation: spec 8.4 */
	__u32 created;
	__u32 serial;           /* counts the lives of this slot */
	__u32 old_state;
	__u32 pe;               /* persistence engine data: index + 1 */
	__u32 spare[5];
};

/*
 * The index over conns: cache-line buckets, two choices per flow. An entry is
 * tag (31 bits of the hash) | direction (1 bit: 0 `in`, 1 `out`) | slot + 1 (32 bits); 0 is empty.
 */
#define BUCKET_ENTRIES 8
struct bucket {
	__u64 entry[BUCKET_ENTRIES];
};

enum dest_flag { DEST_AVAILABLE = 0x1, DEST_OVERLOAD = 0x2 };
enum dest_life { DEST_FREE, DEST_IN_SERVICE, DEST_IN_TRASH };

struct service_key {
	struct addr addr;       /* fwmark services: the mark in the first word, host order */
	__be16 port;
	__u8 protocol;          /* fwmark services: 0 */
	__u8 family;
};

struct dest {
	struct addr addr;
	__be16 port;
	__u8 family;
	__u8 method;
	__u32 weight;
	__u32 flags;
	__s32 active;           /* conns in an active state */
	__s32 total;            /* all conns, without templates */
	__s32 persist;          /* templates */
	__u32 upper;
	__u32 lower;
	struct hop hop;         /* generation holds enum hop_state */
	__u32 mtu;              /* of the path to it, bytes */
	__be16 tun_port;
	__u8 tun_type;          /* 0 ipip, 1 gue, 2 gre */
	__u8 tun_flags;         /* 0 none, 1 csum, 2 remcsum */
	struct addr source;     /* the director's address towards it: outer source of tunnels */
	__u32 service;          /* id */
	__u32 last_weight;      /* mh: spec 2.1 */
	__u32 position;         /* in its service's list */
	__u16 conn_flags;       /* what new conns inherit: CONN_NOOUTPUT, CONN_TOA */
	__u16 life;             /* enum dest_life */
	struct service_key of;  /* its service, which a dest in the trash outlives */
};

/* IP_VS_SVC_F_*, spec 1.2 */
enum service_flag {
	SERVICE_PERSISTENT = 0x0001,
	SERVICE_ONE_PACKET = 0x0004,
	SERVICE_SCHED1 = 0x0008,
	SERVICE_SCHED2 = 0x0010,
	SERVICE_SCHED3 = 0x0020,
};

/* One value, replaced as a whole: a packet sees the old dest list or the new one. */
struct service {
	__u32 id;
	__u32 flags;
	__u32 scheduler;        /* enum scheduler */
	__u32 list;             /* first of its places in members */
	__u32 count;            /* dests */
	__u32 persist;          /* jiffies */
	__u32 persist_seconds;
	__u32 netmask;          /* IPv4: network order mask; IPv6: prefix length */
	__u32 laddrs;           /* first of its places in members: indices of laddrs */
	__u32 laddr_count;
	__u32 wrr_step;         /* greatest common divisor of the weights */
	__u32 wrr_top;          /* greatest weight - (step - 1); 0: no weight */
	__u32 table;            /* sh, dh, mh: first place in members; table_size 0: none */
	__u32 table_size;
	__u32 fwmark;           /* 0: an address service */
	__u32 port;             /* host order */
};

/* What a scheduler remembers from pick to pick. */
struct service_state {
	__u64 cursor;           /* rr: last dest + 1 (0: the list's head); wrr: the same in the high half, level in the low */
	__u32 laddr_turn;
	__u32 spare;
};

/* A packet that fits is given the mark, as iptables would before IPVS sees it. Fields of zero fit everything. */
struct mark_rule {
	struct addr src, src_mask;
	struct addr dst, dst_mask;
	__u32 mark;
	__u32 ifindex;
	__u16 sport_first, sport_last;  /* host order */
	__u16 dport_first, dport_last;
	__u8 protocol;
	__u8 family;            /* 4 or 6 */
	__u16 spare;
};

/* What lblc and lblcr remember of a destination address. */
struct cache_key {
	struct addr addr;
	__u32 service;          /* id */
};

#define CACHE_SET 12

struct cache_entry {
	__u32 lastuse;          /* jiffies */
	__u32 lastmod;
	__u32 count;            /* of dests; lblc has one */
	__u32 dests[CACHE_SET]; /* indices, newest first */
};

/* Counted per CPU and dest. Conns are those scheduled, not templates. */
struct counters {
	__u64 conns;
	__u64 in_pkts;
	__u64 out_pkts;
	__u64 in_bytes;
	__u64 out_bytes;
	__u64 resets;           /* SYNs that the dest answered with a RST; NAT and FullNAT, as the next */
	__u64 unanswered;       /* SYNs that came again because the dest had not answered */
	__u64 spare;
};

/* A director address that FullNAT may speak from. */
struct laddr {
	struct addr addr;
	__u32 next;             /* port counter */
	__u32 conflicts;
	__s32 conns;
	__u32 life;             /* 0 free, 1 in a pool */
};

/* Protocol rows of settings.timeout. */
enum protocol_row { ROW_TCP, ROW_UDP, ROW_SCTP, ROW_OTHER, PROTOCOL_ROWS };
#define STATES 16

enum tcp_state {
	TCP_S_NONE, TCP_S_ESTABLISHED, TCP_S_SYN_SENT, TCP_S_SYN_RECV, TCP_S_FIN_WAIT, TCP_S_TIME_WAIT, TCP_S_CLOSE,
	TCP_S_CLOSE_WAIT, TCP_S_LAST_ACK, TCP_S_LISTEN, TCP_S_SYNACK, TCP_STATES,
};

enum sctp_state {
	SCTP_S_NONE, SCTP_S_INIT1, SCTP_S_INIT, SCTP_S_COOKIE_SENT, SCTP_S_COOKIE_REPLIED, SCTP_S_COOKIE_WAIT, SCTP_S_COOKIE,
	SCTP_S_COOKIE_ECHOED, SCTP_S_ESTABLISHED, SCTP_S_SHUTDOWN_SENT, SCTP_S_SHUTDOWN_RECEIVED, SCTP_S_SHUTDOWN_ACK_SENT,
	SCTP_S_REJECTED, SCTP_S_CLOSED,
};

/* One value, mapped by the daemon: what an operator may turn. */
struct settings {
	__u32 clock_offset;     /* jiffies added to the kernel's: tests move time */
	__u32 hz;
	__u32 generation;       /* of routes and neighbours; never 0 */
	__u32 secure_tcp;       /* 0 or 1: the effective state */
	__u64 seed[2];          /* of the conn index's hash */
	__u32 timeout[PROTOCOL_ROWS * STATES];
	__u32 sloppy_tcp;
	__u32 sloppy_sctp;
	__u32 cache_bypass;
	__u32 expire_nodest_conn;
	__u32 expire_quiescent_template;
	__u32 nat_icmp_send;
	__u32 pmtu_disc;
	__u32 conn_reuse_mode;
	__u32 schedule_icmp;
	__u32 drop_rate;        /* drop_packet: 0 off, else one of so many */
	__u32 drop_entry;       /* 0 or 1: the effective state */
	__u32 backup_only;      /* 1: a backup sync daemon runs and input is ignored */
	__u32 ftp_services;     /* services with port 21 */
	__u32 any_port_services;/* services with port 0, fwmark services among them */
	__u32 mark_services;
	__u32 mark_rules;       /* how many of `marks` are in force */
	__u32 lblcr_expiration; /* jiffies */
	__u32 local_dests;      /* NAT dests that are the director itself */
	__u32 unprivileged_port;/* net.ipv4.ip_unprivileged_port_start */
};

/* What the data path itself moves; one value. */
struct table_state {
	__u32 fresh;            /* slots of conns never used are from here on */
	__u32 sweep_at;         /* next slot to look at */
	__u32 live;             /* conns and templates in the table */
	__u32 drop_counter;     /* drop_packet: spec 7.2 */
	__u64 swept;            /* conns expired since load */
	__u32 drop_entry_turn[16]; /* drop_entry: looked at, by packets seen */
	__u64 icmp_stamp;       /* ICMP rate limit: jiffies << 32 | tokens */
	__u32 hand;             /* drop_entry in a full table: how many slots were looked at */
	__u32 spare;
};

/* Who wrote the maps; checked before they are adopted. */
struct identity {
	__u64 layout;           /* hash over this file's BTF */
	__u64 netns_cookie;
	__u32 capacity;         /* conns */
	__u32 max_dests;
	__u32 cpus;
	__u32 spare;
};

/* Set before loading; the verifier knows the values and prunes by them. */
struct limits {
	__u32 capacity;         /* conns */
	__u32 bucket_mask;
	__u32 counter_row;      /* counters of one CPU */
	__u32 max_dests;        /* in `counters`, services follow the dests: what their removed dests had counted */
};
