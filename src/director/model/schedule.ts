import { anyOf, familyOf } from "../../net/ip.ts";
import type { Flow as SchedulerFlow } from "../../sched/index.ts";
import { PROTOCOL } from "../../wire/ipv4.ts";
import { CHUNK } from "../../wire/sctp.ts";
import { TCP_FLAG } from "../../wire/tcp.ts";
import type { ConnMethod } from "../director.ts";
import { Conn } from "./conns.ts";
import type { DestState } from "./dest-state.ts";
import { refuse } from "./errors.ts";
import { destinationOf, type Flow, flowBetween, reversed, sourceOf } from "./flow.ts";
import { drop, type Outcome, pass } from "./outcome.ts";
import type { Packet } from "./packet.ts";
import { templateFor } from "./persist.ts";
import type { Plane } from "./plane.ts";
import type { LocalState, ServiceState } from "./services.ts";
import { isRemoteUnicast } from "./world.ts";

/** New conns: which packets open one, for which service, with which dest (spec 5.3, 5.6). */

const FTP = 21;
const FTP_DATA = 20;
const LOCAL_TRIES = 64;
const LOCAL_PORT_MIN = 5000;
const LOCAL_PORTS = 65536 - LOCAL_PORT_MIN;

/** A conn for a packet that has none, or what becomes of the packet instead. */
export function open(plane: Plane, packet: Packet): Conn | Outcome {
  const flow = packet.flow();
  const service = findService(plane, packet.mark, flow);
  if (service === undefined) return pass("no-service");
  if (!mayOpen(plane, packet)) return pass("not-scheduled");
  if (isToBeDropped(plane)) return drop("drop-packet");
  if (packet.sourcePort === FTP_DATA) return pass("not-scheduled");
  return openFor(plane, service, packet, flow);
}

export function findService(plane: Plane, mark: number, flow: Flow): ServiceState | undefined {
  const { family, protocol, destinationPort: port } = flow;
  return plane.services.find({ family, protocol, addr: destinationOf(flow), port, mark });
}

/**
 * @param flow the packet's, or the one that would answer a packet which an ICMP error quotes
 */
export function openFor(plane: Plane, service: ServiceState, packet: Packet, flow: Flow): Conn | Outcome {
  const pick = (): DestState | undefined => schedule(plane, service, flow);
  if (service.spec.persistSeconds > 0) {
    const template = templateFor(plane, service, flow, packet.mark, pick);
    if (template === "no-dest") return leave(plane, service, packet, flow);
    if (template === "table-full") return drop("table-full");
    return newConn(plane, service, packet, flow, template.dest, template);
  }
  const isOtherPort = service.spec.key.fwmark === undefined && flow.destinationPort !== service.port;
  const dest = isOtherPort ? undefined : pick();
  return dest === undefined ? leave(plane, service, packet, flow) : newConn(plane, service, packet, flow, dest, undefined);
}

function mayOpen(plane: Plane, packet: Packet): boolean {
  if (packet.protocol === PROTOCOL.tcp) {
    const { tcpFlags } = packet;
    return (tcpFlags & TCP_FLAG.rst) === 0 && ((tcpFlags & TCP_FLAG.syn) !== 0 || plane.knobs.sloppyTcp);
  }
  if (packet.protocol !== PROTOCOL.sctp) return true;
  const [first] = packet.chunks();
  return first !== undefined && first !== CHUNK.abort && (first === CHUNK.init || plane.knobs.sloppySctp);
}

/** The drop_packet defence: one of so many (spec 7.2). */
function isToBeDropped(plane: Plane): boolean {
  if (plane.knobs.dropRate === 0) return false;
  if (--plane.dropCounter > 0) return false;
  plane.dropCounter = plane.knobs.dropRate;
  return true;
}

const protocolName = (protocol: number): SchedulerFlow["protocol"] =>
  protocol === PROTOCOL.tcp ? "tcp" : protocol === PROTOCOL.udp ? "udp" : "sctp";

function schedule(plane: Plane, service: ServiceState, flow: Flow): DestState | undefined {
  const seen: SchedulerFlow = {
    protocol: protocolName(flow.protocol),
    sourceAddr: sourceOf(flow),
    sourcePort: flow.sourcePort,
    destinationAddr: destinationOf(flow),
    destinationPort: flow.destinationPort,
  };
  const circumstances = { now: plane.now, random: plane.random, flags: service.spec.schedFlags };
  const picked = service.scheduler?.pick(service.dests, seen, circumstances);
  return picked && plane.services.dests.get(picked.id);
}

/** A service without a dest to spare (spec 5.6). */
function leave(plane: Plane, service: ServiceState, packet: Packet, flow: Flow): Conn | Outcome {
  const isQuoted = packet.protocol !== flow.protocol;
  const destination = destinationOf(flow);
  if (
    !isQuoted &&
    plane.knobs.cacheBypass &&
    service.spec.key.fwmark !== undefined &&
    isRemoteUnicast(plane.world, destination)
  ) {
    return bypass(plane, service, packet, flow);
  }
  if (service.port === FTP && flow.destinationPort !== FTP) return pass("not-scheduled");
  if (isQuoted) return drop("no-dest-quiet");
  return refuse(plane, packet, "port-unreachable", "no-dest", "no-dest-quiet");
}

function bypass(plane: Plane, service: ServiceState, packet: Packet, flow: Flow): Conn | Outcome {
  if (plane.conns.size >= plane.conns.capacity) return drop("table-full");
  const conn = new Conn(service, flow, "bypass", undefined, 0, { fwmark: packet.mark });
  conn.isInputOnly = false;
  plane.conns.add(conn, plane.now);
  return conn;
}

function newConn(
  plane: Plane,
  service: ServiceState,
  packet: Packet,
  flow: Flow,
  dest: DestState | undefined,
  template: Conn | undefined,
): Conn | Outcome {
  if (dest === undefined) return drop("bug");
  if (template) plane.conns.restart(template, template.timeout, plane.now); // also when no conn comes of it
  const isOnePacket = service.spec.onePacket && flow.protocol === PROTOCOL.udp;
  if (!isOnePacket && plane.conns.size >= plane.conns.capacity) return drop("table-full");
  const { spec } = dest;
  const conn = new Conn(service, flow, methodOf(plane, dest), dest, destPort(service, flow, dest, template), {
    fwmark: packet.mark,
  });
  conn.hasToa = spec.toa && spec.method === "fullnat" && flow.protocol === PROTOCOL.tcp;
  conn.isOnePacket = isOnePacket;
  conn.control = template;
  if (conn.method === "nat") conn.out = outFlow(flow, conn, reversed(flow));
  if (conn.method === "fullnat" && !takeLocal(plane, service, conn)) return drop("no-local-address");
  if (isOnePacket) plane.conns.enter(conn);
  else plane.conns.add(conn, plane.now);
  dest.tally.conns++;
  service.tally.conns++;
  plane.total.conns++;
  return conn;
}

const methodOf = (plane: Plane, dest: DestState): ConnMethod =>
  dest.spec.method !== "nat" && plane.world.isLocal(dest.addr) ? "local" : dest.spec.method;

/** Port 0 of a dest is the packet's; a persistent service translates its own port only (spec 4.9, 5.3). */
function destPort(service: ServiceState, flow: Flow, dest: DestState, template: Conn | undefined): number {
  const isOwnPort = template === undefined || flow.destinationPort === service.port;
  return isOwnPort && dest.port !== 0 ? dest.port : flow.destinationPort;
}

/** What the dest will answer, to whoever `answer` goes to. */
function outFlow(flow: Flow, conn: Conn, answer: Flow): Flow {
  const addr = conn.dest?.addr ?? anyOf(flow.family);
  return flowBetween(flow.family, flow.protocol, addr, conn.destPort, destinationOf(answer), answer.destinationPort);
}

/** A local address and port on which nobody else speaks with this dest (spec 10.1). */
function takeLocal(plane: Plane, service: ServiceState, conn: Conn): boolean {
  const { locals } = service;
  if (locals.length === 0) return false;
  const turn = service.turn++;
  for (let i = 0; i < LOCAL_TRIES; i++) {
    const local = locals[(turn + i) % locals.length]!;
    const port = LOCAL_PORT_MIN + (local.next++ % LOCAL_PORTS);
    const out = localFlow(conn, local, port);
    if (plane.conns.findOut(out.key) === undefined && plane.conns.findIn(out.key) === undefined) {
      Object.assign(conn, { out, local, localPort: port });
      return true;
    }
    local.conflicts++;
  }
  return false;
}

function localFlow(conn: Conn, local: LocalState, port: number): Flow {
  const { protocol, family } = conn.in;
  return flowBetween(family, protocol, conn.dest?.addr ?? anyOf(familyOf(local.addr)), conn.destPort, local.addr, port);
}
