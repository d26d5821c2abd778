import { type Family, familyOf, type Ip, ipBytes } from "../net/ip.ts";
import {
  attribute,
  concat,
  emitMessage,
  NLM_F_ACK,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_REQUEST,
  nested,
  textBytes,
} from "./netlink.ts";

/**
 * As much of nf_tables (linux/netfilter/nf_tables.h) as it takes to drop packets by address: a table with a chain for what
 * comes in and one for what goes out. One datagram is one transaction: all of it happens or nothing.
 */

export const NETLINK_NETFILTER = 12;
const BATCH_BEGIN = 0x10;
const BATCH_END = 0x11;
const SUBSYSTEM = 10;
const [NEWTABLE, DELTABLE, NEWCHAIN, NEWRULE] = [0, 2, 3, 6];
const NFPROTO_INET = 1;
const NUMBER: Readonly<Record<Family, number>> = { ipv4: 2, ipv6: 10 };

/** Hooks of the INET family. */
const HOOKS = { in: 1, out: 3 } as const;
/** The table goes with the socket that made it, so that nothing is left of a process that was killed (kernel 5.12). */
const OWNED = 2;
const [NF_DROP, NF_ACCEPT] = [0, 1];
const REGISTER = 1;
const META_NFPROTO = 15;
const META_L4PROTO = 16;
const BASE = { network: 1, transport: 2 } as const;
const ICMPV6 = 58;
/** Neighbour solicitation and advertisement: without them nobody finds the address. */
const NEIGHBOUR_DISCOVERY = [135, 136];

/** Where the address is in the header: the destination of what comes in, the source of what goes out. */
const ADDRESS_AT = { in: { ipv4: 16, ipv6: 24 }, out: { ipv4: 12, ipv6: 8 } } as const;

export interface Batch {
  readonly bytes: Uint8Array;
  /** So many answers come. */
  readonly answers: number;
}

/**
 * The table as it is to be: packets to and from the addresses are dropped. No addresses: no table.
 * @param priority of its chains; -1: before the filters of others
 */
export function dropAddresses(table: string, addresses: readonly Ip[], priority = -1): Batch {
  const name = attribute(1, textBytes(table));
  const add = message(NEWTABLE, NLM_F_CREATE, concat([name, attribute(2, be32(OWNED))]));
  // To add what may be there and delete it is the way to begin anew without knowing.
  const messages = [add, message(DELTABLE, 0, name)];
  if (addresses.length > 0) {
    messages.push(add);
    for (const chain of ["in", "out"] as const) {
      messages.push(message(NEWCHAIN, NLM_F_CREATE, chainOf(table, chain, priority)));
      const exceptions = NEIGHBOUR_DISCOVERY.map((type) => [
        ...protocolIs(ICMPV6),
        ...byteIs("transport", 0, [type]),
        verdict(NF_ACCEPT),
      ]);
      const drops = addresses.map((address) => dropOf(address, chain));
      for (const rule of [...exceptions, ...drops])
        messages.push(message(NEWRULE, NLM_F_CREATE | NLM_F_APPEND, ruleOf(table, chain, rule)));
    }
  }
  const all = [border(BATCH_BEGIN), ...messages, border(BATCH_END)];
  return { bytes: concat(all.map((make, i) => make(i + 1))), answers: messages.length };
}

type Make = (sequence: number) => Uint8Array;

/** nfgenmsg: family, version, and for the borders of a batch the subsystem. */
const general = (family: number, resource: number): Uint8Array => Uint8Array.of(family, 0, resource >> 8, resource & 255);

const border =
  (type: number): Make =>
  (sequence) =>
    emitMessage({ type, flags: NLM_F_REQUEST, sequence, port: 0, payload: general(0, SUBSYSTEM) });

const message =
  (kind: number, flags: number, body: Uint8Array): Make =>
  (sequence) =>
    emitMessage({
      type: (SUBSYSTEM << 8) | kind,
      flags: NLM_F_REQUEST | NLM_F_ACK | flags,
      ...{ sequence, port: 0, payload: concat([general(NFPROTO_INET, 0), body]) },
    });

function chainOf(table: string, chain: keyof typeof HOOKS, priority: number): Uint8Array {
  return concat([
    attribute(1, textBytes(table)),
    attribute(3, textBytes(chain)),
    nested(4, attribute(1, be32(HOOKS[chain])), attribute(2, be32(priority))),
    attribute(5, be32(NF_ACCEPT)),
    attribute(7, textBytes("filter")),
  ]);
}

const ruleOf = (table: string, chain: string, expressions: readonly Uint8Array[]): Uint8Array =>
  concat([attribute(1, textBytes(table)), attribute(2, textBytes(chain)), nested(4, ...expressions)]);

function dropOf(address: Ip, chain: keyof typeof HOOKS): Uint8Array[] {
  const family = familyOf(address);
  return [
    expression("meta", attribute(2, be32(META_NFPROTO)), attribute(1, be32(REGISTER))),
    equals(Uint8Array.of(NUMBER[family])),
    ...byteIs("network", ADDRESS_AT[chain][family], ipBytes(address)),
    verdict(NF_DROP),
  ];
}

const protocolIs = (protocol: number): Uint8Array[] => [
  expression("meta", attribute(2, be32(META_L4PROTO)), attribute(1, be32(REGISTER))),
  equals(Uint8Array.of(protocol)),
];

function byteIs(base: keyof typeof BASE, at: number, wanted: Uint8Array | readonly number[]): Uint8Array[] {
  const value = Uint8Array.from(wanted);
  const load = [
    attribute(1, be32(REGISTER)),
    attribute(2, be32(BASE[base])),
    attribute(3, be32(at)),
    attribute(4, be32(value.length)),
  ];
  return [expression("payload", ...load), equals(value)];
}

const equals = (value: Uint8Array): Uint8Array =>
  expression("cmp", attribute(1, be32(REGISTER)), attribute(2, be32(0)), nested(3, attribute(1, value)));

/** Register 0 is the verdict. */
const verdict = (code: number): Uint8Array =>
  expression("immediate", attribute(1, be32(0)), nested(2, nested(2, attribute(1, be32(code)))));

const expression = (name: string, ...body: readonly Uint8Array[]): Uint8Array =>
  nested(1, attribute(1, textBytes(name)), nested(2, ...body));

/** Numbers of nf_tables are in network order. */
function be32(n: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, n);
  return bytes;
}
