/**
 * What the data path does not do as the model does: the generator keeps away from it. Each line that goes makes the fuzzer
 * look at more. Its two hooks do the same; only, not every frame can be given to tc (`takes` in hook-tc.ts).
 */

/**
 * Two conns of one client port to two services that share a real server: its answers belong to the newer one, and when that
 * one has ended, to the older one again. Here the older one is not heard again.
 */
export const answersGoBack: boolean = false;

/** Of the services, and of the dests that are reached through a tunnel of the other family. */
export const ipv6Share = 0.35;
export const mixedShare = 0.06;

/** An ICMPv6 error is followed also when the packet it quotes has extension headers. Here it goes to the stack. */
export const walksQuotes: boolean = false;

/** An ICMP error from the client's side that may go no further is counted and dropped. Here it goes to the stack. */
export const refusesLastHopErrors: boolean = false;

/** A one-packet conn may be the one that overloads its dest. Here it never counts. */
export const overloadsByOnePacket: boolean = false;

/** Bytes of a frame in which its IPv6 extension headers must end: what reaches further is malformed here, not to the model. */
export const extensionsEnd = 512;
