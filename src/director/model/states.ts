import { PROTOCOL } from "../../wire/ipv4.ts";
import { CHUNK } from "../../wire/sctp.ts";
import { TCP_FLAG } from "../../wire/tcp.ts";
import type { Timeouts } from "../director.ts";

/** Protocol states: which state a packet moves its conn to, which count as active, how long they last (spec 4.5 to 4.7). */

/** Who is speaking. `input-only`: a client whose dest was never heard, as with route and tunnel. */
export type Side = "input" | "output" | "input-only";

/** By side, event and state: the next state. */
type Moves<Event extends string> = Readonly<Record<Side, Readonly<Record<Event, readonly number[]>>>>;

function table<Event extends string>(abbreviations: readonly string[], rows: Record<Side, Record<Event, string>>): Moves<Event> {
  const numbers = (row: string) => row.split(" ").map((word) => abbreviations.indexOf(word));
  const side = (events: Record<Event, string>) =>
    Object.fromEntries(Object.entries<string>(events).map(([event, row]) => [event, numbers(row)])) as Record<Event, number[]>;
  return { input: side(rows.input), output: side(rows.output), "input-only": side(rows["input-only"]) };
}

export const TCP_STATES = [
  ...["NONE", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN"],
  "SYNACK",
];
export const TCP = {
  none: 0,
  established: 1,
  synSent: 2,
  synRecv: 3,
  finWait: 4,
  timeWait: 5,
  close: 6,
  closeWait: 7,
  synAck: 10,
} as const;
const tcpSeconds = [2, 900, 120, 60, 120, 120, 10, 60, 30, 120, 120];
const tcpActive: ReadonlySet<number> = new Set([TCP.established, TCP.synSent, TCP.synRecv, TCP.synAck]);

const tcpLetters = "NO ES SS SR FW TW CL CW LA LI SA".split(" ");
const always = Array<string>(tcpLetters.length).fill("CL").join(" ");

const tcpNormal = table(tcpLetters, {
  /*       NO ES SS SR FW TW CL CW LA LI SA */
  input: {
    syn: "SR ES ES SR SR SR SR SR SR SR SR",
    fin: "CL CW SS TW TW TW CL CW LA LI TW",
    ack: "ES ES SS ES FW TW CL CW CL LI ES",
    rst: "CL CL CL SR CL CL CL CL LA LI SR",
    none: always,
  },
  output: {
    syn: "SS ES SS SR SS SS SS SS SS LI SR",
    fin: "TW FW SS TW FW TW CL TW LA LI TW",
    ack: "ES ES SS ES FW TW CL CW LA ES ES",
    rst: "CL CL SS CL CL TW CL CL CL CL CL",
    none: always,
  },
  "input-only": {
    syn: "SR ES ES SR SR SR SR SR SR SR SR",
    fin: "CL FW SS TW FW TW CL CW LA LI TW",
    ack: "ES ES SS ES FW TW CL CW CL LI ES",
    rst: "CL CL CL SR CL CL CL CL LA LI CL",
    none: always,
  },
});

const tcpSecure = table(tcpLetters, {
  /*       NO ES SS SR FW TW CL CW LA LI SA */
  input: {
    syn: "SR ES ES SR SR SR SR SR SR SR SA",
    fin: "CL CW SS TW TW TW CL CW LA LI SA",
    ack: "ES ES SS SR FW TW CL CW CL LI SA",
    rst: "CL CL CL SR CL CL CL CL LA LI CL",
    none: always,
  },
  output: {
    syn: "SS ES SS SA SS SS SS SS SS LI SA",
    fin: "TW FW SS TW FW TW CL TW LA LI TW",
    ack: "ES ES SS ES FW TW CL CW LA ES ES",
    rst: "CL CL SS CL CL TW CL CL CL CL CL",
    none: always,
  },
  "input-only": {
    syn: "SA ES ES SR SA SA SA SA SA SA SA",
    fin: "CL FW SS TW FW TW CL CW LA LI TW",
    ack: "ES ES SS ES FW TW CL CW CL LI ES",
    rst: "CL CL CL SR CL CL CL CL LA LI CL",
    none: always,
  },
});

/** RST before SYN before FIN before ACK; a segment with none of them closes. */
function tcpEvent(flags: number): "rst" | "syn" | "fin" | "ack" | "none" {
  if (flags & TCP_FLAG.rst) return "rst";
  if (flags & TCP_FLAG.syn) return "syn";
  if (flags & TCP_FLAG.fin) return "fin";
  return flags & TCP_FLAG.ack ? "ack" : "none";
}

export function nextTcpState(state: number, side: Side, flags: number, isSecure: boolean): number {
  return (isSecure ? tcpSecure : tcpNormal)[side][tcpEvent(flags)][state] ?? TCP.close;
}

export const SCTP_STATES = [
  ...["NONE", "INIT1", "INIT", "C-SENT", "C-REPLIED", "C-WAIT", "COOKIE", "C-ECHOED", "ESTABLISHED", "S-SENT", "S-RECEIVED"],
  ...["S-ACK-SENT", "REJECTED", "CLOSED"],
];
export const SCTP = { init1: 1, init: 2, established: 8, closed: 13 } as const;
const sctpSeconds = [2, 4, 61, 61, 61, 61, 61, 61, 900, 61, 61, 61, 4, 61];

const sctpMoves = table("NO I1 IN CS CR CW CO CE ES SS SR SA RJ CL".split(" "), {
  /* NO I1 IN CS CR CW CO CE ES SS SR SA RJ CL */
  input: {
    data: "ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL",
    init: "I1 IN IN CS CR CW CO CE ES SS SR SA IN IN",
    initAck: "CW CW CW CS CR CO CO CE ES SS SR SA RJ CL",
    cookieEcho: "CR IN IN CR CR CW CO CE ES SS SR SA RJ CL",
    cookieAck: "ES I1 IN CS CR CW CO ES ES SS SR SA RJ CL",
    shutdown: "SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL",
    shutdownAck: "CL IN IN CS CR CW CO CE ES CL SR CL RJ CL",
    shutdownComplete: "CL CL CL CS CR CW CO CE ES SS SR CL RJ CL",
    error: "CL I1 IN CS CR CW CO CL ES SS SR SA RJ CL",
    abort: "CL CL CL CL CL RJ CL CL CL CL CL CL CL CL",
  },
  output: {
    data: "ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL",
    init: "CW CW CW CW CW CW CW CW ES CW CW CW CW CW",
    initAck: "CS CS CS CS CR CW CO CE ES SS SR SA RJ CL",
    cookieEcho: "CE CE CE CE CE CE CE CE ES SS SR SA RJ CL",
    cookieAck: "ES ES ES ES ES ES ES ES ES SS SR SA RJ CL",
    shutdown: "SS SS SS SS SS SS SS SS SS SS SR SA RJ CL",
    shutdownAck: "SA SA SA SA SA CW CO CE ES SA SA SA RJ CL",
    shutdownComplete: "CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL",
    error: "CL CL CL CL CL CW CO CE ES SS SR SA RJ CL",
    abort: "CL RJ CL CL CL CL CL CL CL CL CL CL CL CL",
  },
  "input-only": {
    data: "ES I1 IN CS CR ES CO CE ES SS SR SA RJ CL",
    init: "I1 IN IN IN IN IN CO CE ES SS SR SA IN IN",
    initAck: "CE CE CE CE CE CE CO CE ES SS SR SA RJ CL",
    cookieEcho: "ES ES ES ES ES ES CO CE ES SS SR SA RJ CL",
    cookieAck: "ES I1 IN ES ES CW ES ES ES SS SR SA RJ CL",
    shutdown: "SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL",
    shutdownAck: "CL IN IN CS CR CW CO CE CL CL SR CL RJ CL",
    shutdownComplete: "CL CL CL CL CL CW CO CE ES SS CL CL RJ CL",
    error: "CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL",
    abort: "CL CL CL CL CL RJ CL CL CL CL CL CL CL CL",
  },
});

const sctpEvents: Readonly<Record<number, keyof (typeof sctpMoves)["input"]>> = {
  [CHUNK.init]: "init",
  [CHUNK.initAck]: "initAck",
  [CHUNK.cookieEcho]: "cookieEcho",
  [CHUNK.cookieAck]: "cookieAck",
  [CHUNK.shutdown]: "shutdown",
  [CHUNK.shutdownAck]: "shutdownAck",
  [CHUNK.shutdownComplete]: "shutdownComplete",
  [CHUNK.error]: "error",
  [CHUNK.abort]: "abort",
};

/** @param chunks types of the packet's chunks: the first decides, but an ABORT behind a cookie aborts */
export function nextSctpState(state: number, side: Side, chunks: readonly number[]): number {
  const [first = CHUNK.data, second] = chunks;
  const isCookie = first === CHUNK.cookieEcho || first === CHUNK.cookieAck;
  const decisive = isCookie && second === CHUNK.abort ? CHUNK.abort : first;
  return sctpMoves[side][sctpEvents[decisive] ?? "data"][state] ?? SCTP.closed;
}

/** Does a conn in this state count as active? */
export function isActiveState(protocol: number, state: number): boolean {
  if (protocol === PROTOCOL.tcp) return tcpActive.has(state);
  return protocol === PROTOCOL.sctp && state === SCTP.established;
}

/** Does it make its template a lasting one (spec 4.9)? */
export function isEstablished(protocol: number, state: number): boolean {
  return (protocol === PROTOCOL.tcp && state === TCP.established) || (protocol === PROTOCOL.sctp && state === SCTP.established);
}

/** How long a conn lives in this state, in ms. */
export function stateTimeout(protocol: number, state: number, timeouts: Timeouts): number {
  return 1000 * stateSeconds(protocol, state, timeouts);
}

function stateSeconds(protocol: number, state: number, timeouts: Timeouts): number {
  if (protocol === PROTOCOL.udp) return timeouts.udp;
  if (protocol === PROTOCOL.sctp) return sctpSeconds[state] ?? 2;
  if (state === TCP.established) return timeouts.tcp;
  return state === TCP.finWait ? timeouts.tcpFin : (tcpSeconds[state] ?? 2);
}

/** The kernel's word. */
export function stateName(protocol: number, state: number): string {
  if (protocol === PROTOCOL.tcp) return TCP_STATES[state] ?? "ERR!";
  return protocol === PROTOCOL.sctp ? (SCTP_STATES[state] ?? "?") : "UDP";
}
