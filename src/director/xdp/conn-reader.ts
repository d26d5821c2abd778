import type { Conn } from "../director.ts";
import * as abi from "./abi.gen.ts";
import { methodName, protocolName } from "./keys.ts";
import type { DataPath } from "./loader.ts";
import { addr, port, u16, u32 } from "./memory.ts";

/** Conns read from the table's memory as the interface's values. */

const TCP_STATES = [
  "NONE", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "SYNACK",
] as const; // biome-ignore format: one list
const SCTP_STATES = [
  "NONE", "INIT1", "INIT", "C-SENT", "C-REPLIED", "C-WAIT", "COOKIE", "C-ECHOED", "ESTABLISHED", "S-SENT", "S-RECEIVED",
  "S-ACK-SENT", "REJECTED", "CLOSED",
] as const; // biome-ignore format: one list

export function stateName(protocol: number, state: number, template: boolean): string {
  if (template) return state === 1 ? "ASSURED" : "NONE";
  if (protocol === 6) return TCP_STATES[state] ?? "ERR!";
  if (protocol === 17) return "UDP";
  return protocol === 132 ? (SCTP_STATES[state] ?? "ERR!") : "NONE";
}

/** @param now jiffies of the data path's clock, low 32 bits */
export function* readConns(path: DataPath, now: number): Generator<Conn> {
  const fresh = u32(path.memory.table_state.view, abi.tableState.fresh);
  for (let slot = 0; slot < fresh; slot++) {
    const found = readConn(path, slot, now);
    if (found !== undefined) yield found;
  }
}

/** undefined: the slot holds no conn, or one whose time is up. */
export function readConn(path: DataPath, slot: number, now: number): Conn | undefined {
  const { view, bytes } = path.memory.conns;
  const at = path.memory.conns.at(slot);
  if (u32(view, at + abi.conn.life) !== abi.connLife.live) return undefined;
  const left = (u32(view, at + abi.conn.expires) - now) | 0;
  if (left <= 0) return undefined;
  const protocol = bytes[at + abi.conn.inProtocol] ?? 0;
  const family = bytes[at + abi.conn.inFamily] ?? 4;
  const outFamily = bytes[at + abi.conn.outFamily] ?? 4;
  const flags = u16(view, at + abi.conn.flags);
  const template = (flags & abi.connFlag.template) !== 0;
  const method = methodName(bytes[at + abi.conn.method] ?? 0);
  return {
    protocol: protocolName(protocol),
    client: { addr: addr(bytes, at + abi.conn.inSrc, family), port: port(view, at + abi.conn.inSport) },
    virtual: { addr: addr(bytes, at + abi.conn.inDst, family), port: port(view, at + abi.conn.inDport) },
    dest: { addr: addr(bytes, at + abi.conn.outSrc, outFamily), port: port(view, at + abi.conn.outSport) },
    ...(method === "fullnat" &&
      !template && {
        local: { addr: addr(bytes, at + abi.conn.outDst, outFamily), port: port(view, at + abi.conn.outDport) },
      }),
    method,
    state: stateName(protocol, bytes[at + abi.conn.state] ?? 0, template),
    expiresIn: Math.floor(left / path.hz),
    active: !template && (flags & abi.connFlag.inactive) === 0,
    template,
    fwmark: u32(view, at + abi.conn.fwmark),
  };
}
