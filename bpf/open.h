/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* A packet of no conn: which service it is for, whether it may open a conn, and to which dest (spec 5.3). */
#pragma once

#include "mark.h"
#include "persist.h"

static __always_inline bool may_open(const struct packet *p, const struct settings *set)
{
	if (p->flow.protocol == IPPROTO_SCTP)
		return p->sctp_event != SCTP_E_ABORT && (p->sctp_event == SCTP_E_INIT || set->sloppy_sctp);
	if (p->flow.protocol == IPPROTO_UDP)
		return true;
	return !(p->tcp_flags & TCP_RST_FLAG) && (p->tcp_flags & TCP_SYN_FLAG || set->sloppy_tcp);
}

/* drop_packet (spec 7.2): every drop_rate-th packet that would open a conn goes. */
static __always_inline bool is_defended(const struct settings *set)
{
	struct table_state *table = table_of();

	if (set->drop_rate == 0 || !table)
		return false;
	if ((__s32)__sync_fetch_and_add(&table->drop_counter, -1) > 1)
		return false;
	table->drop_counter = set->drop_rate;
	return true;
}

/* Where the conn's packets go at the dest. */
static __always_inline __be16 dest_port(const struct service *s, const struct packet *p, const struct dest *d)
{
	bool own = s->flags & SERVICE_PERSISTENT ? !s->fwmark && s->port == bpf_ntohs(p->flow.dport) : true;

	return own && d->port ? d->port : p->flow.dport;
}

/* A template for flow `f`, to a dest of the scheduler's choice. */
static __always_inline int make_template(const struct service *s, const struct packet *p, const struct flow *f, struct birth *b)
{
	struct conn *t;
	struct dest *d;
	int result;

	b->dest = schedule(s, &p->flow, p->now);
	if (b->dest == MISS)
		return EXIT_NO_DEST;
	d = dest_at(b->dest);
	b->dport = d && is_port_bound(s, p) ? d->port : 0;
	b->flags = CONN_TEMPLATE;
	b->fwmark = s->fwmark;
	b->now = p->now;
	result = bear_conn(s, f, b);
	t = result == BORN ? conn_at(b->slot) : 0;
	if (t)
		t->timeout = min(s->persist, PERSIST_MAX);
	return result;
}

/* The dest of the client's template, which is made if there is none. */
static __always_inline int open_following(const struct service *s, const struct packet *p, struct birth *b)
{
	struct flow f;
	struct conn *t;
	int result;

	template_flow(&f, s, p);
	b->slot = find_template(&f, p->now);
	if (b->slot == MISS) {
		result = make_template(s, p, &f, b);
		if (result != BORN)
			return result;
	}
	t = conn_at(b->slot);
	if (!t)
		return EXIT_BUG;
	b->dest = t->dest;
	b->control = b->slot + 1;
	adopt(t, p->now);
	return BORN;
}

static __always_inline int open_scheduled(const struct service *s, struct packet *p, struct birth *b)
{
	if (!s->fwmark && s->port != bpf_ntohs(p->flow.dport))
		return EXIT_NO_DEST; /* found by its port 0 or 21, which only persistent services may serve */
	b->dest = schedule(s, &p->flow, p->now);
	return b->dest == MISS ? EXIT_NO_DEST : BORN;
}

static __always_inline bool is_one_packet(const struct service *s, const struct packet *p)
{
	return s->flags & SERVICE_ONE_PACKET && p->flow.protocol == IPPROTO_UDP;
}

/* nat_icmp_send: a NAT dest speaks of a conn that we know nothing of (spec 5.4). */
static __always_inline bool is_stray_answer(struct packet *p)
{
	struct service_key key = { .addr = p->flow.src, .port = p->flow.sport, .protocol = p->flow.protocol, .family = p->flow.family };
	bool last = p->flow.protocol == IPPROTO_TCP ? p->tcp_flags & TCP_RST_FLAG
						      : p->flow.protocol == IPPROTO_SCTP && p->sctp_event == SCTP_E_ABORT;
	const __u32 *dest;

	dest = last ? 0 : bpf_map_lookup_elem(&nat_dests, &key);
	if (!dest)
		return false;
	p->stray = *dest;
	return true;
}

/*
 * cache_bypass (spec 5.6): without a dest, a packet of a fwmark service goes on to its own destination, and its conn with it.
 * The stack routes it, and refuses what is for the director itself.
 */
static __always_inline bool may_bypass(const struct service *s, const struct settings *set)
{
	return set->cache_bypass && s->fwmark;
}

/* Returns BORN, and p->slot names the new conn; else why not. */
__noinline int open_conn(struct packet *p)
{
	struct settings *set = settings_of();
	struct birth b = {};
	struct service *s;
	struct counters *n;
	struct dest *d;
	int result;

	if (!p || !set)
		return EXIT_BUG;
	p->mark = set->mark_rules ? mark_of(p) : 0;
	s = find_service(set, &p->flow, p->mark);
	if (!s)
		return set->nat_icmp_send && is_stray_answer(p) ? EXIT_NAT_ICMP_SEND : EXIT_NO_SERVICE;
	if (!may_open(p, set))
		return EXIT_NOT_SCHEDULED;
	if (is_defended(set))
		return EXIT_DROP_PACKET;
	if (p->flow.sport == bpf_htons(FTP_DATA_PORT))
		return EXIT_NOT_SCHEDULED;
	result = s->flags & SERVICE_PERSISTENT ? open_following(s, p, &b) : open_scheduled(s, p, &b);
	if (result == EXIT_NO_DEST && s->port == FTP_PORT && p->flow.dport != bpf_htons(FTP_PORT))
		return EXIT_NOT_SCHEDULED;
	if (result == EXIT_NO_DEST && may_bypass(s, set)) {
		b.dest = NO_DEST;
		b.flags = 0;
		result = BORN;
	}
	if (result != BORN)
		return result;
	d = dest_at(b.dest);
	if (!d)
		return EXIT_BUG;
	b.dport = b.dest == NO_DEST ? 0 : dest_port(s, p, d);
	b.flags = is_one_packet(s, p) ? CONN_ONE_PACKET : 0;
	b.fwmark = p->mark;
	b.cpu = p->cpu;
	b.now = p->now;
	result = bear_conn(s, &p->flow, &b);
	if (result != BORN || b.flags & CONN_ONE_PACKET) {
		/* a conn that is none, or is over with its packet, is no child */
		struct conn *t = b.control ? conn_at(b.control - 1) : 0;

		if (t)
			__sync_fetch_and_add(&t->n_control, -1);
	}
	if (result != BORN)
		return result;
	n = counters_of(p, b.dest);
	if (n && b.dest != NO_DEST)
		n->conns++;
	p->slot = b.slot;
	p->direction = DIR_IN;
	return BORN;
}
