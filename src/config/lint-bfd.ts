import { familyOf } from "../net/ip.ts";
import type { KeepalivedConfig } from "./keywords.ts";
import type { Origin } from "./source.ts";

/** Advice about BFD. */

interface Input {
  readonly config: KeepalivedConfig;
}
type Say = (origin: Origin, message: string) => void;

/** keepalived sends with hop limit 64 over IPv6, which RFC 5881 section 5 has others refuse. */
export function bfdHopLimit({ config }: Input, say: Say): void {
  for (const b of config.bfdInstance) {
    if (b.neighborIp === undefined || familyOf(b.neighborIp) === "ipv4" || b.ttl !== undefined || b.multihop) continue;
    say(
      b.origin,
      `${b.header} sends with hop limit 64 and takes what comes with less than 255; 'hoplimit 255' keeps strangers out, and is what other BFD programs want`,
    );
  }
}

/** With such a pair a router is up only while the other one is (manual page, "BFD CONFIGURATION"). */
export function bfdOfPeer({ config }: Input, say: Say): void {
  for (const i of config.vrrpInstance) {
    const peers = new Set(i.unicastPeer.map(({ value }) => value.ip));
    for (const { value, origin } of i.trackBfd) {
      const bfd = config.bfdInstance.find((b) => b.header === value.name);
      if (bfd?.neighborIp === undefined || !peers.has(bfd.neighborIp)) continue;
      if ((value.weight ?? bfd.weight).weight === 0)
        say(
          origin,
          `${i.header} is in FAULT whenever its own peer ${bfd.neighborIp} is away: give track_bfd ${value.name} a weight`,
        );
    }
  }
}
