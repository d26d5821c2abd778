/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The data path on the tc hook, ingress: where packets are GSO buffers and XDP would have to take them apart. */
#define HOOK_TC
#include "lvs.h"

SEC("tc")
int lvs_tc(struct __sk_buff *skb)
{
	struct packet p = {};

	return hook_verdict(lvs(skb, &p));
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
