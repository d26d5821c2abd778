/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The data path on the tc hook, ingress: where packets are GSO buffers and XDP would have to take them apart. */
#define HOOK_TC
#include "lvs.h"
#include "local.h"

SEC("tc")
int lvs_tc(struct __sk_buff *skb)
{
	struct packet p = {};

	return hook_verdict(lvs(skb, &p));
}

/* On egress, whichever hook the packets come in by. */
SEC("tc")
int lvs_tc_out(struct __sk_buff *skb)
{
	struct packet p = {};
	struct settings *set = settings_of();

	p.cpu = bpf_get_smp_processor_id();
	if (set) {
		p.ifindex = hook_begin(skb);
		p.now = (__u32)bpf_jiffies64() + set->clock_offset;
		answer(skb, &p, set);
	}
	return TC_OK;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
