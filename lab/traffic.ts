import { Fault } from "../src/fault.ts";
import type { Host } from "./host.ts";
import { lines } from "./until.ts";

/** One connection after the other; the answers in order. */
export async function curlEach(host: Host, url: string, times: number): Promise<readonly string[]> {
  const input = `url = "${url}"\n`.repeat(times);
  const line = "curl -sS -g --fail-early --max-time 5 -H 'Connection: close' -K -";
  return lines(await host.run(line, { input, timeout: times * 1000 + 10_000 }));
}

export interface Download {
  readonly bytes: number;
  readonly sha256: string;
}

/** @param rate bytes per second at most, in curl's words ("200M"); as fast as it goes unless given */
export async function download(host: Host, url: string, rate = "0", timeout = 120_000): Promise<Download> {
  const seconds = Math.ceil(timeout / 1000);
  const flags = `-sS -g --max-time ${seconds} --limit-rate ${rate} -w '%{stderr}%{size_download}'`;
  const line = `set -o pipefail; curl ${flags} '${url}' | sha256sum`;
  const { code, stdout, stderr } = await host.exec(["bash", "-c", line], { timeout: timeout + 5_000 });
  const bytes = /^\s*(\d+)\s*$/m.exec(stderr)?.[1];
  if (code !== 0 || bytes === undefined)
    throw new Fault(`${host.name}: download ${url}`, "EXIT", `exit ${code}: ${stderr.trim()}`);
  return { bytes: Number(bytes), sha256: stdout.split(" ")[0]! };
}

/** Sends a file by PUT; nginx keeps it under `put/`. */
export async function upload(host: Host, path: string, url: string, timeout = 60_000): Promise<void> {
  await host.run(`curl -sS -g --fail --max-time ${timeout / 1000} -T '${path}' '${url}'`, { timeout: timeout + 5_000 });
}

export const sha256Of = async (host: Host, path: string): Promise<string> =>
  (await host.run(`sha256sum '${path}'`)).split(" ")[0]!;

/** How often each answer was given. */
export function countEach(answers: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const answer of answers) counts.set(answer, (counts.get(answer) ?? 0) + 1);
  return counts;
}

export interface Load {
  readonly requestsPerSecond: number;
  readonly requests: number;
  /** Connections that failed, timed out or were cut. */
  readonly errors: number;
  /** As wrk prints it: "1.23ms". */
  readonly latency: string;
}

/** Keep-alive requests on 32 connections for some seconds, by wrk. */
export async function load(host: Host, url: string, seconds: number, connections = 32): Promise<Load> {
  const text = await host.run(`wrk -t1 -c${connections} -d${seconds}s --timeout 2s '${url}'`, { timeout: (seconds + 15) * 1000 });
  return parseWrk(text);
}

export function parseWrk(text: string): Load {
  const number = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? Number.NaN);
  const sockets = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1).map(Number) ?? [];
  return {
    requestsPerSecond: number(/Requests\/sec:\s+([\d.]+)/),
    requests: number(/(\d+) requests in/),
    errors: sockets.reduce((sum, n) => sum + n, 0),
    latency: /Latency\s+(\S+)/.exec(text)?.[1] ?? "",
  };
}
