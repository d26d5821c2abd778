/** Why a packet left the pipeline: the words of bpf/abi.h (enum exit_reason), lower case with dashes. */
export const reasons = [
  ...(["nat", "nat-reply", "route", "tunnel", "fullnat", "fullnat-reply", "local", "bypass", "icmp-related"] as const),
  ...(["not-ip", "malformed", "bad-checksum", "protocol", "no-service", "not-scheduled", "fragment-unknown", "icmp"] as const),
  ...(["not-host", "reply-slow", "no-dest", "no-dest-quiet", "table-full", "no-local-address", "dest-gone"] as const),
  ...(["hop-unresolved", "unreachable", "ttl", "too-big", "too-big-quiet", "no-room", "truncated", "drop-packet"] as const),
  ...(["nat-icmp-send", "icmp-checksum", "icmp-swallowed", "local-reply", "bug"] as const),
] as const;

export type Reason = (typeof reasons)[number];

export type Verdict = "pass" | "drop" | "tx" | "redirect";

/** What becomes of a frame. */
export interface Outcome {
  /** `tx`: out of the interface it came in by; `redirect`: out of another; `pass`: to the director's own stack. */
  readonly verdict: Verdict;
  readonly reason: Reason;
  /** The frame as it goes on, where it is not the one that came: an ICMP error stands in the place of what it refuses. */
  readonly frame?: Uint8Array;
  /** Of a redirect. */
  readonly ifindex?: number;
}

export const pass = (reason: Reason): Outcome => ({ verdict: "pass", reason });
export const drop = (reason: Reason): Outcome => ({ verdict: "drop", reason });
