/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The data path on the XDP hook, and the expiry of conns. */
#include "lvs.h"
#include "sweep.h"

SEC("xdp")
int lvs_xdp(struct xdp_md *ctx)
{
	struct packet p = {};

	return hook_verdict(lvs(ctx, &p));
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
