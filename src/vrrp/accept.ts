import { type Ip, uint32FromIp } from "../net/ip.ts";
import { AUTH, parseVrrp, passwordBytes, type Vrrp, type VrrpProblem } from "../wire/vrrp.ts";
import { type AhKey, isIcvRight } from "../wire/vrrp-packet.ts";
import type { Instance } from "./config.ts";

/** Whether an advert is acceptable, and if not, in which field it differs from what is expected (spec 3.8). */

/** A packet for an instance, by its VRID. */
export interface Heard {
  readonly from: Ip;
  readonly to: Ip;
  /** Or hop limit. */
  readonly ttl: number;
  readonly message: Uint8Array;
  /** IPv4: the whole packet, which the authentication header covers. */
  readonly packet: Uint8Array;
  readonly ah: undefined | { readonly spi: number; readonly sequence: number; readonly at: number };
}

export type RefusedField =
  | VrrpProblem
  | "ttl"
  | "auth-type"
  /** A type of authentication that does not exist. */
  | "auth-unknown"
  | "auth-data"
  | "interval"
  | "vip-list"
  | "unicast"
  | "peer"
  | "sequence"
  | "owner";

/** Why an advert is not what is expected. */
export interface Refusal {
  readonly from: Ip;
  readonly field: RefusedField;
  readonly got: string;
  readonly expected: string;
  /** In keepalived's words, without the instance. */
  readonly text: string;
}

/** What earlier adverts have told. */
export interface Memory {
  /** The greatest sequence number of an authentication header that was sent or heard: the next one sent is greater. */
  readonly sequence: number;
  /** The last one of each sender: two that lead at once count each for itself. */
  readonly sequences: ReadonlyMap<Ip, number>;
  /** Whose address list has been looked at last. */
  readonly lastSender: Ip | undefined;
}

export const nothingHeard: Memory = { sequence: 0, sequences: new Map(), lastSender: undefined };

/** What is remembered of an advert that was accepted. */
export function remember(memory: Memory, { from, ah }: Heard): Memory {
  if (ah === undefined) return memory.lastSender === from ? memory : { ...memory, lastSender: from };
  const isNews = memory.sequence === 0 || isLater(ah.sequence, memory.sequence);
  const sequence = isNews ? ah.sequence : memory.sequence;
  return { sequence, sequences: new Map(memory.sequences).set(from, ah.sequence), lastSender: from };
}

export type Examined = { readonly advert: Vrrp; readonly complaint: Refusal | undefined } | { readonly refusal: Refusal };

const FULL_TTL = 255;

export function examine(i: Instance, h: Heard, memory: Memory): Examined {
  const early = checkHeader(i, h, memory) ?? checkTtl(i, h);
  if (early !== undefined) return { refusal: early };
  const advert = parseVrrp(h.message, { src: h.from, dst: h.to });
  if (typeof advert === "string") return { refusal: unread(i, h, advert) };
  const late = checkVersion(i, h, advert) ?? checkAuth(i, h, advert) ?? checkInterval(i, h, advert) ?? checkSender(i, h);
  if (late !== undefined) return { refusal: late };
  const skip = i.skipAddressCheck && memory.lastSender === h.from;
  return { advert, complaint: skip ? undefined : checkAddresses(i, h, advert) };
}

/** The key of its authentication header. */
export const ahKey = (i: Instance): AhKey => ({ key: passwordBytes(i.auth.password), unicast: i.peers.length > 0 });

const isMulticast = (address: Ip): boolean =>
  address.includes(":") ? address.startsWith("ff") : uint32FromIp(address) >>> 28 === 14;

function checkHeader(i: Instance, h: Heard, memory: Memory): Refusal | undefined {
  const wanted = i.auth.type === "ah";
  if (h.ah === undefined) {
    return wanted ? refuse(h, "auth-type", "no AH", "AH", `No AH header but auth type is AH from ${h.from}`) : undefined;
  }
  if (!wanted)
    return refuse(h, "auth-type", "AH", AUTH_WORDS[i.auth.type], `Received AH header but auth type not AH from ${h.from}`);
  const spi = uint32FromIp(h.from);
  if (h.ah.spi !== spi) {
    const text = `IPSEC AH : invalid IPSEC SPI value. ${h.ah.spi} and expect ${spi}`;
    return refuse(h, "auth-data", `SPI ${h.ah.spi}`, `SPI ${spi}`, text);
  }
  if (!isIcvRight(h.packet, h.ah.at, ahKey(i))) {
    const text = "IPSEC-AH : invalid IPSEC HMAC-MD5 value. Due to fields mutation or bad password !";
    return refuse(h, "auth-data", "another HMAC-MD5", "one made with auth_pass", text);
  }
  const last = memory.sequences.get(h.from);
  if (last !== undefined && !isLater(h.ah.sequence, last)) {
    const text = `IPSEC-AH : sequence number ${h.ah.sequence} already processed. Packet dropped. Local(${last})`;
    return refuse(h, "sequence", String(h.ah.sequence), `more than ${last}`, text);
  }
  return undefined;
}

/** Sequence numbers wrap around. */
const isLater = (sequence: number, last: number): boolean => ((sequence - last) | 0) > 0;

function checkTtl(i: Instance, h: Heard): Refusal | undefined {
  if (i.peers.length === 0) {
    if (h.ttl === FULL_TTL || !isMulticast(h.to)) return undefined;
    return refuse(h, "ttl", String(h.ttl), "255", `invalid TTL/HL from ${h.from}. Received ${h.ttl} and expect 255`);
  }
  const peer = i.peers.find((p) => p.ip === h.from);
  if (peer === undefined || (h.ttl >= peer.minTtl && h.ttl <= peer.maxTtl)) return undefined;
  const range = `${peer.minTtl} - ${peer.maxTtl}`;
  return refuse(h, "ttl", String(h.ttl), range, `TTL/HL ${h.ttl} not in range ${range}`);
}

/** What the parser could not read. */
function unread(i: Instance, h: Heard, problem: VrrpProblem): Refusal {
  const { message } = h;
  switch (problem) {
    case "version": {
      const got = String((message[0] ?? 0) >>> 4);
      return wrongVersion(i, h, got);
    }
    case "type": {
      const got = String((message[0] ?? 0) & 15);
      return refuse(h, "type", got, "1", `Invalid packet type from ${h.from}. ${got} and expect 1`);
    }
    case "checksum":
      return refuse(h, "checksum", "wrong", "right", `Invalid VRRPv${i.version} checksum from ${h.from}`);
    case "length": {
      if (message.length >= 8 && message[0]! >>> 4 !== i.version) return wrongVersion(i, h, String(message[0]! >>> 4));
      const expected = 8 + (message[3] ?? 0) * (i.family === "ipv4" ? 4 : 16) + (i.version === 2 ? 8 : 0);
      const word = message.length < expected ? "short" : "long";
      const text = `vrrp packet from ${h.from} too ${word}, length ${message.length} and expect ${expected}`;
      return refuse(h, "length", String(message.length), String(expected), text);
    }
  }
}

const wrongVersion = (i: Instance, h: Heard, got: string): Refusal =>
  refuse(h, "version", got, String(i.version), `wrong VRRP version from ${h.from}. Received ${got} and expect ${i.version}`);

function checkVersion(i: Instance, h: Heard, advert: Vrrp): Refusal | undefined {
  return advert.version === i.version ? undefined : wrongVersion(i, h, String(advert.version));
}

/** As auth_type has it. */
const AUTH_WORDS = { none: "none", pass: "PASS", ah: "AH" } as const;

function checkAuth(i: Instance, h: Heard, { auth }: Vrrp): Refusal | undefined {
  if (auth === undefined) return undefined;
  if (auth.type > AUTH.ah)
    return refuse(
      h,
      "auth-unknown",
      String(auth.type),
      AUTH_WORDS[i.auth.type],
      `Invalid auth type from ${h.from}: ${auth.type}`,
    );
  const expected = AUTH[i.auth.type];
  if (auth.type !== expected) {
    const text = `received a ${auth.type} auth from ${h.from}, expecting ${expected}!`;
    return refuse(h, "auth-type", ["none", "PASS", "AH"][auth.type]!, AUTH_WORDS[i.auth.type], text);
  }
  if (i.auth.type !== "pass" || Buffer.compare(auth.data, passwordBytes(i.auth.password)) === 0) return undefined;
  return refuse(h, "auth-data", "another password", "auth_pass", `received an invalid passwd from ${h.from}!`);
}

function checkInterval(i: Instance, h: Heard, advert: Vrrp): Refusal | undefined {
  if (i.version === 3 || advert.interval * 10 === i.advertInterval) return undefined;
  const [mine, theirs] = [i.advertInterval / 1000, advert.interval / 100];
  const text = `advertisement interval mismatch with ${h.from} mine=${mine} sec rcv'd=${theirs} sec`;
  return refuse(h, "interval", `${theirs} s`, `${mine} s`, text);
}

function checkSender(i: Instance, h: Heard): Refusal | undefined {
  const unicast = i.peers.length > 0;
  if (unicast === isMulticast(h.to)) {
    const [got, expected] = unicast ? ["multicast", "unicast"] : ["unicast", "multicast"];
    return refuse(h, "unicast", got!, expected!, `Expected ${expected} packet but received ${got} packet from ${h.from}`);
  }
  if (unicast && i.checkPeers && !i.peers.some((p) => p.ip === h.from)) {
    const peers = i.peers.map((p) => p.ip).join(" ");
    return refuse(h, "peer", h.from, peers, `unicast source address ${h.from} not a unicast peer`);
  }
  if (i.ownerIgnoresAdverts && i.priority === 255) {
    return refuse(h, "owner", "an advert", "none", `Dropping packet(s) from ${h.from} since we are address owner`);
  }
  return undefined;
}

/** Two lists that differ are told and not refused, as in keepalived since 2.3.3. */
function checkAddresses(i: Instance, h: Heard, advert: Vrrp): Refusal | undefined {
  const mine = i.addresses.map((a) => a.ip);
  const got = advert.addresses.join(" ") || "none";
  const expected = mine.join(" ") || "none";
  if (mine.length !== advert.addresses.length) {
    const text = `expected ${mine.length} VIPs but received ${advert.addresses.length} from ${h.from}`;
    return refuse(h, "vip-list", got, expected, text);
  }
  const missing = mine.find((address) => !advert.addresses.includes(address));
  if (missing === undefined) return undefined;
  const text = `ip address associated with VRID ${i.vrid} not present in advert from ${h.from}: ${missing}`;
  return refuse(h, "vip-list", got, expected, text);
}

const refuse = (h: Heard, field: RefusedField, got: string, expected: string, text: string): Refusal => ({
  from: h.from,
  ...{ field, got, expected, text },
});
