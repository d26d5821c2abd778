/** How packets leave the decapsulation program: the words of `enum exit` in bpf/realserver.bpf.c, in its order. */

export type ExitFate = "stripped" | "passed" | "dropped";

export interface Exit {
  readonly word: string;
  readonly fate: ExitFate;
  readonly meaning: string;
}

const exit = (word: string, fate: ExitFate, meaning: string): Exit => ({ word, fate, meaning });

export const exits: readonly Exit[] = [
  exit("ipip", "stripped", "an IP header"),
  exit("gre", "stripped", "an IP and a GRE header"),
  exit("gue", "stripped", "an IP, a UDP and a GUE header"),
  exit("no-tunnel", "passed", "an ordinary packet"),
  exit("truncated", "passed", "shorter than a header in it says"),
  exit("fragment", "passed", "a fragment of the outer packet: the way from the director is too narrow"),
  exit("outer-header", "passed", "an outer IP header that is malformed or whose checksum is wrong"),
  exit("not-ours", "passed", "in a tunnel to an address that is not this host's"),
  exit("gre-options", "passed", "GRE with a key, a sequence number or of another version"),
  exit("gue-options", "passed", "a GUE control message, optional fields, or another version"),
  exit("inner-protocol", "passed", "something else than an IP packet in the tunnel"),
  exit("inner-header", "passed", "an inner IP header that is malformed"),
  exit("not-a-vip", "passed", "the inner packet is for no VIP of this host"),
  exit("ecn", "dropped", "marked for congestion on the way, and its ends do not know of ECN (RFC 6040)"),
  exit("failed", "dropped", "the kernel would not shorten the packet"),
];
