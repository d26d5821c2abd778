import { randomInt } from "node:crypto";
import type { Result } from "../../health/checker.ts";
import type { Connection, Probe } from "../../health/config.ts";
import { bad, good } from "../../health/dialogue.ts";
import { dnsQuery, judgeDns } from "../../health/protocols/dns.ts";
import { echoRequest, isEchoReply } from "../../health/protocols/ping.ts";
import { hexPattern, judgeUdp, silentUdp } from "../../health/protocols/udp.ts";
import { familyOf } from "../../net/ip.ts";
import { type Watch, watchFd } from "../../platform/poll.ts";
import { closeFd } from "../../platform/process.ts";
import { connectSocket, receive, SOCK_DGRAM, SOCK_RAW, send } from "../../platform/socket.ts";
import { addressOf, openMarked } from "./connect.ts";
import type { Cancel, Done } from "./probe.ts";
import { troubleOf } from "./trouble.ts";

/** Checks of one datagram out and one back: UDP, DNS, ICMP echo. A connected socket hears ICMP errors too. */

interface Exchange {
  readonly to: Connection;
  readonly payload: Uint8Array;
  /** Undefined: not an answer to us. */
  judge(bytes: Uint8Array): Result | undefined;
  /** When nothing comes in time. */
  readonly silent: Result;
}

type Of<T extends Probe["type"]> = Extract<Probe, { type: T }>;

export const askUdp = ({ to, payload, reply }: Of<"UDP_CHECK">, done: Done): Cancel =>
  exchange(
    () => openMarked(to, SOCK_DGRAM),
    { to, payload: hexPattern(payload).bytes, judge: (bytes) => judgeUdp(bytes, reply), silent: silentUdp(reply) },
    done,
  );

export function askDns({ to, query, name }: Of<"DNS_CHECK">, done: Done): Cancel {
  const id = randomInt(0x10000);
  const payload = dnsQuery(id, query, name);
  const open = () => openMarked(to, SOCK_DGRAM);
  return exchange(open, { to, payload, judge: (bytes) => judgeDns(bytes, id), silent: bad("timeout") }, done);
}

const IPPROTO = { ipv4: 1, ipv6: 58 };
let sequence = 0;

/** By a datagram socket, or by a raw one where ping_group_range does not have us. */
export function ping(to: Connection, done: Done): Cancel {
  const family = familyOf(to.ip);
  const id = randomInt(0x10000);
  sequence = (sequence + 1) & 0xffff;
  const number = sequence;
  let isRaw = false;
  const open = (): number => {
    const free = { ...to, fromPort: undefined };
    try {
      return openMarked(free, SOCK_DGRAM, IPPROTO[family]);
    } catch (error) {
      if ((error as { code?: unknown }).code !== "EACCES") throw error;
      isRaw = true;
      return openMarked(free, SOCK_RAW, IPPROTO[family]);
    }
  };
  const judge = (bytes: Uint8Array): Result | undefined => {
    const icmp = isRaw && family === "ipv4" ? bytes.subarray(((bytes[0] ?? 0) & 15) * 4) : bytes;
    return isEchoReply(icmp, family, isRaw ? id : undefined, number) ? good : undefined;
  };
  const payload = echoRequest(family, id, number);
  return exchange(open, { to: { ...to, port: 0 }, payload, judge, silent: bad("timeout") }, done);
}

/** Shared: what is read is judged at once. */
const room = new Uint8Array(65536);

function exchange(open: () => number, { to, payload, judge, silent }: Exchange, done: Done): Cancel {
  let fd: number | undefined;
  let watch: Watch | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  const end = (result: Result | undefined): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    watch?.close();
    if (fd !== undefined) closeFd(fd);
    if (result !== undefined) done(result);
  };
  const read = (): void => {
    if (isOver || fd === undefined) return;
    try {
      for (let length = receive(fd, room); length !== undefined; length = receive(fd, room)) {
        const result = judge(room.subarray(0, Math.min(length, room.length)));
        if (result === undefined) continue;
        end(result);
        return;
      }
    } catch (error) {
      end(troubleOf(error));
    }
  };
  try {
    fd = open();
    connectSocket(fd, addressOf(to));
    send(fd, payload);
    watch = watchFd(fd, read);
    timer = setTimeout(() => end(silent), to.timeout);
  } catch (error) {
    setImmediate(() => end(troubleOf(error)));
  }
  return () => end(undefined);
}
