/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* lvsd's own mark rules: marks that iptables or nftables set come after XDP has seen the packet. The first that fits counts. */
#pragma once

#include "packet.h"

struct mark_walk {
	const struct packet *p;
	__u32 mark;
};

static __always_inline bool is_within(const struct addr *a, const struct addr *net, const struct addr *mask)
{
	__u32 other = 0;

#pragma clang loop unroll(full)
	for (int i = 0; i < 4; i++)
		other |= (a->w[i] ^ net->w[i]) & mask->w[i];
	return other == 0;
}

static __always_inline bool is_port_within(__be16 port, __u16 first, __u16 last)
{
	__u16 number = bpf_ntohs(port);

	return last == 0 || (number >= first && number <= last);
}

static long mark_step(__u32 i, struct mark_walk *w)
{
	const struct mark_rule *r = bpf_map_lookup_elem(&marks, &i);
	const struct packet *p = w->p;

	if (!r)
		return 1;
	if (r->family != p->flow.family || (r->protocol && r->protocol != p->flow.protocol) || (r->ifindex && r->ifindex != p->ifindex))
		return 0;
	if (!is_within(&p->flow.src, &r->src, &r->src_mask) || !is_within(&p->flow.dst, &r->dst, &r->dst_mask))
		return 0;
	if (!is_port_within(p->flow.sport, r->sport_first, r->sport_last) || !is_port_within(p->flow.dport, r->dport_first, r->dport_last))
		return 0;
	w->mark = r->mark;
	return 1;
}

/* 0: no rule fits. */
__noinline __u32 mark_of(const struct packet *p)
{
	struct settings *set = settings_of();
	struct mark_walk w = { .p = p };

	if (!p || !set || set->mark_rules == 0)
		return 0;
	bpf_loop(set->mark_rules, mark_step, &w, 0);
	return w.mark;
}
