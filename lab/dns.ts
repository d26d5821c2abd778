import { fileURLToPath } from "node:url";
import type { Host } from "./host.ts";
import type { Running } from "./running.ts";
import { lines } from "./until.ts";

const program = fileURLToPath(new URL("../lab/dns.mjs", import.meta.url));

/** A name server whose answer to every question is this IPv4 address. */
export async function startNameServer(host: Host, address: string, port: number, answer: string): Promise<Running> {
  const running = host.spawn([process.execPath, program, "serve", address, String(port), answer]);
  await running.hear(/ready/);
  return running;
}

/**
 * Queries by Node's resolver, none twice; the answers in their order, or what went wrong ("ETIMEOUT at 7").
 * @param from a port of its own for each query, one after the other; or one for all of them, which go at once
 */
export async function askNames(host: Host, server: string, port: number, times: number, from: "many" | "one"): Promise<string[]> {
  const line = `'${process.execPath}' '${program}' ask ${server} ${port} ${times} ${from}`;
  return lines(await host.run(line, { timeout: 90_000 }));
}
