import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Fault } from "../src/fault.ts";
import { execute, type Host } from "./host.ts";
import type { Lab } from "./lab.ts";
import type { Running } from "./running.ts";
import { lines } from "./until.ts";

/** Where a flood seems to come from; the director has to have a route there, for the answers. */
export const FLOOD_SOURCES = "198.18.0.0/15";

export interface Flood {
  readonly from: Host;
  /** The interface it leaves by, and the director's MAC on the other side. */
  readonly interface: string;
  readonly mac: string;
  readonly vip: string;
  readonly port: number;
  /** SYNs in all, a million at most, and a second. */
  readonly count: number;
  readonly rate: number;
}

/** SYNs from random sources. It ends by itself, having said how many it sent. */
export async function startFlood(lab: Lab<string>, flood: Flood): Promise<Running> {
  const { from, vip, port, count, rate } = flood;
  const words = [flood.interface, flood.mac, vip, port, count, rate].map(String);
  return from.spawn([await build(lab), ...words]);
}

async function build(lab: Lab<string>): Promise<string> {
  const source = fileURLToPath(new URL("flood.c", import.meta.url));
  const program = join(lab.directory, "flood");
  const { code, stderr } = await execute(["clang", "-O2", "-Wall", "-o", program, source]);
  if (code !== 0) throw new Fault(`compile ${source}`, "EXIT", stderr.trim());
  return program;
}

export interface Visits {
  readonly tried: number;
  readonly succeeded: number;
  /** Seconds that connecting took, of those that succeeded: in the middle, and the longest. */
  readonly median: number;
  readonly longest: number;
}

/**
 * Some visitors at once, each opening one connection after the other for a time. A connection has as long as a SYN and two
 * more, which the stack sends after 1 and 3 seconds, take.
 */
export async function visit(host: Host, url: string, visitors: number, seconds: number): Promise<Visits> {
  const curl = `curl -s -o /dev/null --connect-timeout ${PATIENCE} --max-time ${PATIENCE + 2} -w '%{http_code} %{time_connect}\\n'`;
  const script = `end=$((SECONDS + ${seconds})); while [ $SECONDS -lt $end ]; do ${curl} '${url}'; sleep 0.05; done; true`;
  const said = await Promise.all(
    Array.from({ length: visitors }, () => host.run(script, { shell: "bash", timeout: (seconds + PATIENCE + 20) * 1000 })),
  );
  const results = said.flatMap(lines).map((line) => line.split(" "));
  const times = results.flatMap(([code, time]) => (code === "200" ? [Number(time)] : [])).toSorted((a, b) => a - b);
  return {
    tried: results.length,
    succeeded: times.length,
    median: times[times.length >> 1] ?? Number.NaN,
    longest: times.at(-1) ?? Number.NaN,
  };
}

const PATIENCE = 5; // s
