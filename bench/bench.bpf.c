/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * The wrapper that makes BPF_PROG_TEST_RUN's `repeat` a benchmark: it brings the packet back to its template, which the
 * run before has rewritten or grown, gives it the next flow, and tail-calls the program under test. What the wrapper
 * itself costs is measured with the empty programs below in that program's place.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define FRAME 64        /* bytes of every packet: Ethernet, IPv4, transport header and some payload */
#define OUTER 20        /* bytes that a tunnel puts in front */
/* Offsets in the frame: the low half of an address, a port. */
#define IP_CHECK 24
#define SOURCE_LOW 28
#define DEST_LOW 32
#define SOURCE_PORT 34
#define DEST_PORT 36

/* What to send: flow n has the address addr + (n's low bits) and the port port + (n's other bits). */
struct plan {
	__u32 flows;
	__u32 step;             /* from a packet's flow to the next one's, prime to flows: every flow has its turn */
	__u32 at;               /* the next packet's flow */
	__u32 answers;          /* 1: address and port are the packet's destination, not its source */
	__u32 bits;             /* of a flow's number that go into the address */
	__u32 addr;             /* low 16 bits, host order; they are 0 in the template */
	__u32 port;             /* host order */
	__u32 spare;
	__u64 frame[FRAME / 8]; /* the IP header's checksum is right for it as it is */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct plan);
} plans SEC(".maps");

/* What a wrapper calls; there is one wrapper for each, because to change a slot takes the kernel tens of milliseconds. */
enum target { TARGET, EMPTY, GROW, TARGETS };

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, TARGETS);
	__type(key, __u32);
	__type(value, __u32);
} xdp_programs SEC(".maps"), tc_programs SEC(".maps");

static __always_inline struct plan *plan_of(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&plans, &zero);
}

static __always_inline __u32 next_flow(struct plan *plan)
{
	__u32 flow = plan->at, next = flow + plan->step;

	plan->at = next < plan->flows ? next : next - plan->flows;
	return flow;
}

/* The transport checksum stays the template's: a director changes it by the difference and does not verify it. */
static __always_inline void write_packet(struct plan *plan, void *data)
{
	__u32 flow = next_flow(plan), sum;
	__u16 low = bpf_htons(plan->addr + (flow & ((1u << (plan->bits & 31)) - 1)));
	__u16 port = bpf_htons(plan->port + (flow >> (plan->bits & 31)));
	__u64 *word = data;

#pragma clang loop unroll(full)
	for (int i = 0; i < FRAME / 8; i++)
		word[i] = plan->frame[i];
	if (plan->answers) {
		*(__u16 *)(data + DEST_LOW) = low;
		*(__u16 *)(data + DEST_PORT) = port;
	} else {
		*(__u16 *)(data + SOURCE_LOW) = low;
		*(__u16 *)(data + SOURCE_PORT) = port;
	}
	/* RFC 1624 for a word that was 0 */
	sum = (__u16)~*(__u16 *)(data + IP_CHECK) + low;
	*(__u16 *)(data + IP_CHECK) = ~((sum & 0xffff) + (sum >> 16));
}

static __always_inline int wrap_xdp(struct xdp_md *ctx, enum target target)
{
	int grown = (int)(ctx->data_end - ctx->data) - FRAME;
	struct plan *plan = plan_of();
	void *data;

	if (!plan || (grown && bpf_xdp_adjust_head(ctx, grown)))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	if (data + FRAME > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	write_packet(plan, data);
	bpf_tail_call(ctx, &xdp_programs, target);
	return XDP_ABORTED;
}

/* A program on tc that puts a tunnel's header in front is not for repetition: the buffer stays marked as wrapped up. */
static __always_inline int wrap_tc(struct __sk_buff *skb, enum target target)
{
	struct plan *plan = plan_of();
	void *data = (void *)(long)skb->data;

	if (!plan || skb->len != FRAME || data + FRAME > (void *)(long)skb->data_end)
		return TC_ACT_SHOT;
	write_packet(plan, data);
	bpf_tail_call(skb, &tc_programs, target);
	return TC_ACT_SHOT;
}

SEC("xdp") int target_xdp(struct xdp_md *ctx) { return wrap_xdp(ctx, TARGET); }
SEC("xdp") int empty_xdp(struct xdp_md *ctx) { return wrap_xdp(ctx, EMPTY); }
SEC("xdp") int grow_xdp(struct xdp_md *ctx) { return wrap_xdp(ctx, GROW); }
SEC("tc") int target_tc(struct __sk_buff *skb) { return wrap_tc(skb, TARGET); }
SEC("tc") int empty_tc(struct __sk_buff *skb) { return wrap_tc(skb, EMPTY); }

SEC("xdp")
int xdp_nothing(struct xdp_md *ctx)
{
	return XDP_REDIRECT;
}

/* Grows the packet and does nothing else. */
SEC("xdp")
int xdp_grow(struct xdp_md *ctx)
{
	return bpf_xdp_adjust_head(ctx, -OUTER) ? XDP_ABORTED : XDP_REDIRECT;
}

SEC("tc")
int tc_nothing(struct __sk_buff *skb)
{
	return TC_ACT_REDIRECT;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
