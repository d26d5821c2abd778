/** What a packet's exit (bpf/abi.h, enum exit_reason) means for it. */
export type Fate = "forwarded" | "passed" | "dropped";

const forwarded = new Set([
  ...["nat", "nat-reply", "route", "tunnel", "fullnat", "fullnat-reply", "local", "local-reply", "bypass", "icmp-related"],
]);

/** Not ours: to the local stack, untouched or almost. */
const passed = new Set([
  ...["not-ip", "malformed", "bad-checksum", "protocol", "no-service", "not-scheduled", "fragment-unknown", "icmp", "not-host"],
  "reply-slow",
]);

export const fateOf = (reason: string): Fate => (forwarded.has(reason) ? "forwarded" : passed.has(reason) ? "passed" : "dropped");
