/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Protocol state: which state a packet moves its conn to, which states count as active, how long they last (spec 4.5, 4.6). */
#pragma once

#include "conn.h"
#include "dest.h"
#include "sctp.h"

enum template_state { TEMPLATE_NONE, TEMPLATE_ASSURED };

/* Who is speaking. INPUT_ONLY: nothing was ever seen from the dest, as with DR and TUN. */
enum side { SIDE_INPUT, SIDE_OUTPUT, SIDE_INPUT_ONLY, SIDES = 4 };
enum tcp_event { TCP_E_SYN, TCP_E_FIN, TCP_E_ACK, TCP_E_RST, TCP_E_NONE, TCP_EVENTS = 8 };

/* By FIN 1, SYN 2, RST 4 and ACK 16: RST before SYN before FIN before ACK. */
#define TCP_FIN_FLAG 0x01
#define TCP_SYN_FLAG 0x02
#define TCP_RST_FLAG 0x04
#define TCP_ACK_FLAG 0x10

static __always_inline __u32 tcp_event(__u8 flags)
{
	if (flags & TCP_RST_FLAG)
		return TCP_E_RST;
	if (flags & TCP_SYN_FLAG)
		return TCP_E_SYN;
	if (flags & TCP_FIN_FLAG)
		return TCP_E_FIN;
	return flags & TCP_ACK_FLAG ? TCP_E_ACK : TCP_E_NONE;
}

#define NO TCP_S_NONE
#define ES TCP_S_ESTABLISHED
#define SS TCP_S_SYN_SENT
#define SR TCP_S_SYN_RECV
#define FW TCP_S_FIN_WAIT
#define TW TCP_S_TIME_WAIT
#define CL TCP_S_CLOSE
#define CW TCP_S_CLOSE_WAIT
#define LA TCP_S_LAST_ACK
#define LI TCP_S_LISTEN
#define SA TCP_S_SYNACK
#define ALWAYS_CLOSE {CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL}

/* [secure_tcp][side][event][state]; the rounded sizes let the verifier see that an index stays inside. */
static const __u8 tcp_next[2][SIDES][TCP_EVENTS][STATES] = {
	{ /* normal        NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA */
		[SIDE_INPUT] = {
			[TCP_E_SYN] = {SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR},
			[TCP_E_FIN] = {CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, TW},
			[TCP_E_ACK] = {ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES},
			[TCP_E_RST] = {CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, SR},
			[TCP_E_NONE] = ALWAYS_CLOSE,
		},
		[SIDE_OUTPUT] = {
			[TCP_E_SYN] = {SS, ES, SS, SR, SS, SS, SS, SS, SS, LI, SR},
			[TCP_E_FIN] = {TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW},
			[TCP_E_ACK] = {ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES},
			[TCP_E_RST] = {CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL},
			[TCP_E_NONE] = ALWAYS_CLOSE,
		},
		[SIDE_INPUT_ONLY] = {
			[TCP_E_SYN] = {SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR},
			[TCP_E_FIN] = {CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW},
			[TCP_E_ACK] = {ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES},
			[TCP_E_RST] = {CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL},
			[TCP_E_NONE] = ALWAYS_CLOSE,
		},
	},
	{ /* secure_tcp        NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA */
		[SIDE_INPUT] = {
			[TCP_E_SYN] = {SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SA},
			[TCP_E_FIN] = {CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, SA},
			[TCP_E_ACK] = {ES, ES, SS, SR, FW, TW, CL, CW, CL, LI, SA},
			[TCP_E_RST] = {CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL},
			[TCP_E_NONE] = ALWAYS_CLOSE,
		},
		[SIDE_OUTPUT] = {
			[TCP_E_SYN] = {SS, ES, SS, SA, SS, SS, SS, SS, SS, LI, SA},
			[TCP_E_FIN] = {TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW},
			[TCP_E_ACK] = {ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES},
			[TCP_E_RST] = {CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL},
			[TCP_E_NONE] = ALWAYS_CLOSE,
		},
		[SIDE_INPUT_ONLY] = {
			[TCP_E_SYN] = {SA, ES, ES, SR, SA, SA, SA, SA, SA, SA, SA},
			[TCP_E_FIN] = {CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW},
			[TCP_E_ACK] = {ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES},
			[TCP_E_RST] = {CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL},
			[TCP_E_NONE] = ALWAYS_CLOSE,
		},
	},
};

#undef NO
#undef ES
#undef SS
#undef SR
#undef FW
#undef TW
#undef CL
#undef CW
#undef LA
#undef LI
#undef SA

#define TCP_ACTIVE (1 << TCP_S_ESTABLISHED | 1 << TCP_S_SYN_SENT | 1 << TCP_S_SYN_RECV | 1 << TCP_S_SYNACK)

static __always_inline __u32 row_of(__u8 protocol)
{
	switch (protocol) {
	case IPPROTO_TCP: return ROW_TCP;
	case IPPROTO_UDP: return ROW_UDP;
	case IPPROTO_SCTP: return ROW_SCTP;
	default: return ROW_OTHER;
	}
}

static __always_inline __u32 timeout_of(const struct settings *set, __u32 row, __u32 state)
{
	return set->timeout[below(PROTOCOL_ROWS * STATES, row * STATES + (state & (STATES - 1)))];
}

/* Active and inactive conns of a dest change with the state; templates and SYNC'ed conns without dest count nowhere. */
static __always_inline void set_active(struct conn *c, struct dest *d, bool active)
{
	if (active == !(c->flags & CONN_INACTIVE))
		return;
	c->flags ^= CONN_INACTIVE;
	if (c->dest != NO_DEST)
		__sync_fetch_and_add(&d->active, active ? 1 : -1);
}

/* A child is established: its template is not to be dropped lightly. */
static __always_inline void assure_template(const struct conn *c)
{
	struct conn *t = c->control ? conn_at(c->control - 1) : 0;

	if (t && t->flags & CONN_TEMPLATE)
		t->state = TEMPLATE_ASSURED;
}

static __always_inline __u32 next_state(const struct packet *p, const struct settings *set, const struct conn *c, __u32 side)
{
	if (p->flow.protocol == IPPROTO_TCP)
		return tcp_next[set->secure_tcp & 1][side][tcp_event(p->tcp_flags)][c->state & (STATES - 1)];
	return sctp_next[side][p->sctp_event & (SCTP_EVENTS - 1)][c->state & (STATES - 1)];
}

static __always_inline bool is_active_state(__u8 protocol, __u32 state)
{
	return protocol == IPPROTO_TCP ? TCP_ACTIVE >> state & 1 : state == SCTP_S_ESTABLISHED;
}

static __always_inline void move_state(const struct packet *p, struct conn *c, struct dest *d, __u32 state)
{
	c->state = state;
	set_active(c, d, is_active_state(p->flow.protocol, state));
	if (state == (p->flow.protocol == IPPROTO_TCP ? TCP_S_ESTABLISHED : SCTP_S_ESTABLISHED))
		assure_template(c);
}

static __always_inline bool is_connecting(__u32 state)
{
	return state == TCP_S_SYN_RECV || state == TCP_S_SYNACK;
}

/* What makes a dest suspect: it refuses new conns, or says nothing to them. No more than counted; health checks act on it. */
static __always_inline void count_failure(struct packet *p, const struct conn *c, bool reset)
{
	struct counters *n = counters_of(p, c->dest);

	if (!n)
		return;
	if (reset)
		n->resets++;
	else
		n->unanswered++;
}

/* A packet was seen: the state moves, and the timer starts anew with the state's timeout. */
static __always_inline void track(struct packet *p, const struct settings *set, struct conn *c, struct dest *d)
{
	__u32 row = row_of(p->flow.protocol);

	if (p->direction == DIR_OUT)
		c->flags = (c->flags & ~CONN_NOOUTPUT) | CONN_ANSWERED;
	if (row != ROW_UDP && p->fragment != LATER_FRAGMENT) {
		__u32 side = p->direction == DIR_OUT ? SIDE_OUTPUT : c->flags & CONN_NOOUTPUT ? SIDE_INPUT_ONLY : SIDE_INPUT;
		__u32 state = next_state(p, set, c, side);

		if (state != c->state) {
			if (unlikely(state == TCP_S_CLOSE && is_connecting(c->state)) && row == ROW_TCP && side == SIDE_OUTPUT)
				count_failure(p, c, true);
			move_state(p, c, d, state);
		} else if (unlikely(is_connecting(state)) && row == ROW_TCP && side == SIDE_INPUT && !(c->flags & CONN_ANSWERED)) {
			count_failure(p, c, false);
		}
	}
	if (row == ROW_UDP && p->direction == DIR_OUT)
		assure_template(c);
	c->timeout = timeout_of(set, row, c->state);
	c->expires = p->now + c->timeout;
}
