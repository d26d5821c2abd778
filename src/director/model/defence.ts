import { PROTOCOL } from "../../wire/ipv4.ts";
import type { Conn, Conns } from "./conns.ts";
import type { Defence } from "./knobs.ts";
import { SCTP, TCP } from "./states.ts";

/** Pages of memory that the host has left; without knowing, there is always enough. */
export type AvailablePages = () => number;

/**
 * The defences by their modes, evaluated every second and on write (spec 7.2). Modes 1 and 2 follow the memory and turn
 * into each other; `modes` tells those that changed.
 */
export function evaluate(
  setting: (name: string) => string,
  availablePages: AvailablePages,
): { defence: Defence; modes: [name: string, value: string][] } {
  const threshold = Math.max(Number(setting("amemthresh")), 0);
  const available = availablePages();
  const isLow = available < threshold;
  const modes: [string, string][] = [];
  const isOn = (name: string): boolean => {
    const mode = setting(name);
    if (mode === "1" && isLow) modes.push([name, "2"]);
    if (mode === "2" && !isLow) modes.push([name, "1"]);
    return mode === "3" || (isLow && mode !== "0");
  };
  const autoRate = isLow ? Math.floor(threshold / (threshold - available)) : 0;
  const isDropping = isOn("drop_packet");
  const dropRate = setting("drop_packet") === "3" ? Number(setting("am_droprate")) : isDropping ? autoRate : 0;
  return { defence: { secureTcp: isOn("secure_tcp"), dropEntry: isOn("drop_entry"), dropRate }, modes };
}

/** Does any defence follow the memory? */
export const isAutomatic = (setting: (name: string) => string): boolean =>
  ["drop_entry", "drop_packet", "secure_tcp"].some((name) => setting(name) === "1" || setting(name) === "2");

const IDLE_FOR = 60_000; // ms
const ROUNDS_PER_TABLE = 32;

/** drop_entry: once a second one conn in 32 is looked at, and dropped when it is half-open or idle. */
export class EntryDropper {
  /** By number of packets: conns with n of them are let go n times in a row. */
  readonly #counts = Array.from({ length: 9 }, () => 0);

  run(conns: Conns, now: number, random: () => number): void {
    for (const conn of [...conns.values()]) {
      if (random() < 1 / ROUNDS_PER_TABLE && conn.isLive && conn.children === 0 && this.#mayDrop(conn, now)) conns.remove(conn);
    }
  }

  #mayDrop(conn: Conn, now: number): boolean {
    if (conn.isTemplate) return conn.service.spec.onePacket ? this.#isIdle(conn, now) : conn.state === 0;
    const { protocol } = conn.in;
    if (protocol === PROTOCOL.tcp) {
      if (conn.state === TCP.synRecv || conn.state === TCP.synAck) return true;
      return conn.state === TCP.established && this.#isIdle(conn, now);
    }
    if (protocol === PROTOCOL.sctp) {
      if (conn.state === SCTP.init1 || conn.state === SCTP.init) return true;
      return conn.state === SCTP.established && this.#isIdle(conn, now);
    }
    return this.#isIdle(conn, now);
  }

  /** Test T of spec 7.2. */
  #isIdle(conn: Conn, now: number): boolean {
    if (conn.timeout + now < conn.expiresAt + IDLE_FOR) return false;
    const n = conn.inPackets;
    const left = this.#counts[n];
    if (n === 0 || left === undefined) return false;
    this.#counts[n] = left - 1;
    if (left - 1 > 0) return false;
    this.#counts[n] = n;
    return true;
  }
}
