/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * TOA (spec 10.2): a TCP option that tells the real server whose connection this is. It is the first option of the
 * SYN and of every client segment that still acknowledges nothing but the server's SYN, that is until the server has
 * sent data; a module on the server reads it from the handshake's ACK.
 */
#pragma once

#include "transmit.h"

#define TOA_KIND 254
#define TOA_LENGTH 8
#define TCP_HEADER_MAX 60

static __always_inline bool wants_toa(HOOK_CONTEXT *ctx, const struct packet *p, const struct conn *c, const struct dest *d)
{
	const struct tcphdr *tcp = hook_data(ctx) + ETH_LEN + sizeof(struct iphdr);

	if (!(c->flags & CONN_TOA) || p->flow.protocol != IPPROTO_TCP || p->fragment || p->wire_len != p->len)
		return false;
	/* IP options and headers without room go without */
	if (p->l4 != ETH_LEN + sizeof(struct iphdr) || (void *)(tcp + 1) > hook_end(ctx))
		return false;
	if (tcp->doff < 5 || tcp->doff * 4 + TOA_LENGTH > TCP_HEADER_MAX || p->len + TOA_LENGTH > d->mtu)
		return false;
	if (tcp->rst)
		return false;
	return tcp->syn || bpf_ntohl(tcp->ack_seq) == c->server_isn + 1;
}

/* Called after the rewrite: the client is in conn->in. */
static __always_inline bool push_toa(HOOK_CONTEXT *ctx, const struct packet *p, const struct conn *c)
{
	struct iphdr *ip;
	struct tcphdr *tcp;
	__u32 *option, words[2];
	__u16 *from, *to;
	__u16 old_len, old_doff, new_doff;

	if (!hook_grow(ctx, TOA_LENGTH, PUSH_TOA, 4))
		return false;
	/* Ethernet, IP and TCP headers move to the front, 54 bytes in half words */
	to = hook_data(ctx);
	if ((void *)to + ETH_LEN + 40 + TOA_LENGTH > hook_end(ctx))
		return false;
	from = (void *)to + TOA_LENGTH;
#pragma clang loop unroll(full)
	for (int i = 0; i < (ETH_LEN + 40) / 2; i++)
		to[i] = from[i];

	ip = (void *)to + ETH_LEN;
	tcp = (void *)(ip + 1);
	option = (void *)(tcp + 1);
	words[0] = TOA_KIND | TOA_LENGTH << 8 | (__u32)c->in.sport << 16;
	words[1] = c->in.src.w[0];
	option[0] = words[0];
	option[1] = words[1];

	old_len = ip->tot_len;
	ip->tot_len = bpf_htons(p->len + TOA_LENGTH);
	ip->check = update_checksum(ip->check, change(old_len, ip->tot_len));

	old_doff = *(__u16 *)((void *)tcp + 12);
	tcp->doff += TOA_LENGTH / 4;
	new_doff = *(__u16 *)((void *)tcp + 12);
	/* the pseudo header's length grows by 8 as well */
	return hook_fix_l4(ctx, ETH_LEN + sizeof(*ip) + __builtin_offsetof(struct tcphdr, check), bpf_htons(TOA_LENGTH),
			   change(old_doff, new_doff) + words[0] + words[1], false);
}

/* The server's SYN+ACK: remember its sequence number, and leave room for the option in the client's segments. */
static __always_inline void note_server_isn(HOOK_CONTEXT *ctx, const struct packet *p, struct conn *c)
{
	const struct tcphdr *tcp = hook_data(ctx) + l4_of(p);

	if (!(c->flags & CONN_TOA) || p->flow.protocol != IPPROTO_TCP || p->fragment || (void *)(tcp + 1) > hook_end(ctx))
		return;
	if (tcp->syn && tcp->ack)
		c->server_isn = bpf_ntohl(tcp->seq);
}
