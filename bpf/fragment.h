/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Fragments are followed, not reassembled: the first one has the ports, later ones find them here and go the same way.
 * One that overtakes its first is unknown and goes to the stack.
 */
#pragma once

#include "packet.h"

static __always_inline void fragment_key(struct fragment_key *key, const struct packet *p)
{
	key->src = p->flow.src;
	key->dst = p->flow.dst;
	key->id = p->fragment_id;
	key->protocol = p->flow.protocol;
	key->family = p->flow.family;
}

__noinline int remember_fragment(const struct packet *p)
{
	struct fragment_key key = {};
	struct fragment value = {};

	if (!p)
		return 0;
	fragment_key(&key, p);
	value.sport = p->flow.sport;
	value.dport = p->flow.dport;
	value.seen = p->now;
	bpf_map_update_elem(&fragments, &key, &value, BPF_ANY);
	return 0;
}

/* RFC 791: a datagram's fragments have 30 seconds or so to come together. */
#define FRAGMENT_SECONDS 30

/* The ports of a later fragment. */
__noinline int recall_fragment(struct packet *p)
{
	struct settings *set = settings_of();
	struct fragment_key key = {};
	const struct fragment *f;

	if (!p || !set)
		return false;
	fragment_key(&key, p);
	f = bpf_map_lookup_elem(&fragments, &key);
	if (!f || p->now - f->seen >= set->hz * FRAGMENT_SECONDS)
		return false;
	p->flow.sport = f->sport;
	p->flow.dport = f->dport;
	return true;
}
