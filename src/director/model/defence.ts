import { PROTOCOL } from "../../wire/ipv4.ts";
import type { Conn, Conns } from "./conns.ts";
import { SCTP, TCP } from "./states.ts";

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
