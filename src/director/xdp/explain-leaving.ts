import { familyOf } from "../../net/ip.ts";
import { type ConnMethod, type DestSpec, type Endpoint, endpointText } from "../director.ts";
import type { ExplainQuery, Leaving } from "../status.ts";
import type { ExplainFacts } from "./explain-facts.ts";
import type { Hop } from "./hops.ts";

/** How a packet goes on to its dest, and under which reason it is counted. */
export interface Departure {
  readonly lines: readonly string[];
  readonly verdict: string;
  readonly leaves?: Leaving;
}

export interface Journey {
  readonly query: ExplainQuery;
  readonly method: ConnMethod;
  /** Address and port that its packets have at the dest. */
  readonly dest: Endpoint;
  /** undefined: cache_bypass. */
  readonly spec: DestSpec | undefined;
  /** FullNAT: undefined where it is still to be chosen. */
  readonly local: Endpoint | undefined;
}

export function depart(journey: Journey, facts: ExplainFacts): Departure {
  const { query, method, dest, spec } = journey;
  const virtual = endpointText(query.virtual);
  if (method === "bypass" || spec === undefined)
    return { lines: [line("leaves", `on to ${virtual}, its own destination, by way of the stack`)], verdict: "bypass" };
  const hop = facts.hop(spec.addr);
  if (hop.state === "local" || method === "local") {
    const destination = method === "nat" ? dest : query.virtual;
    const text = `to the local stack, for ${endpointText(destination)}: ${spec.addr} is the director itself`;
    return { lines: [line("leaves", text)], verdict: "local", leaves: { source: query.client, destination } };
  }
  const leaves = leavingOf(journey, spec, hop, facts);
  return { lines: linesOf(journey, leaves, hop, facts), verdict: verdictOf(method, hop), leaves };
}

function verdictOf(method: ConnMethod, hop: Hop): string {
  if (hop.state === "resolved") return method;
  return hop.state === "unreachable" ? "unreachable" : "hop-unresolved";
}

function leavingOf({ query, method, dest, local }: Journey, spec: DestSpec, hop: Hop, facts: ExplainFacts): Leaving {
  const isTranslated = method === "nat" || method === "fullnat";
  const source = method === "fullnat" ? local : query.client;
  const { type, port } = spec.tunnel;
  return {
    ...(source !== undefined && { source }),
    destination: isTranslated ? dest : query.virtual,
    ...(method === "tunnel" &&
      "source" in hop && { tunnel: { type, source: hop.source, destination: spec.addr, port: type === "gue" ? port : 0 } }),
    ...(hop.state === "resolved" && {
      hop: {
        ...{ interface: facts.interfaceName(hop.ifindex), via: hop.via },
        ...{ sourceMac: hop.sourceMac, destinationMac: hop.destinationMac, mtu: hop.mtu },
      },
    }),
  };
}

function linesOf({ method }: Journey, { source, destination, tunnel }: Leaving, hop: Hop, facts: ExplainFacts): string[] {
  const from = source === undefined ? "a local address and port of the pool" : endpointText(source);
  const inside = `${from} -> ${endpointText(destination)}, one hop older`;
  const lines = [line("leaves", method === "route" ? `${inside}, otherwise unchanged` : inside)];
  if (tunnel !== undefined) {
    const header = familyOf(tunnel.destination) === "ipv6" ? "IPv6" : "IPv4";
    const shim = tunnel.type === "ipip" ? "" : tunnel.type === "gue" ? `, UDP port ${tunnel.port} and GUE` : " and GRE";
    lines.push(line("tunnel", `${header} ${tunnel.source} -> ${tunnel.destination}${shim} in front of it`));
  }
  return [...lines, line("next hop", wayText(hop, facts))];
}

export function wayText(hop: Hop, facts: ExplainFacts): string {
  switch (hop.state) {
    case "resolved":
      return `${hop.via} (${hop.destinationMac}) by ${facts.interfaceName(hop.ifindex)}, MTU ${hop.mtu}`;
    case "unresolved":
      return `the Ethernet address of ${hop.via} is not known: packets are dropped as hop-unresolved`;
    case "local":
      return "the director itself";
    case "unreachable":
      return `unreachable: ${hop.reason}`;
  }
}

/** A word, and what there is to say of it. */
export const line = (word: string, text: string): string => word.padEnd(10) + text;
