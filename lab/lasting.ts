import { fileURLToPath } from "node:url";
import type { Host } from "./host.ts";
import { countEach } from "./traffic.ts";
import { lines } from "./until.ts";

/** Connections that last, each with a request ten times a second. */
export interface Lasting {
  /** How many have not ended. */
  alive(): number;
  /** Why the others have, and how many: "ECONNRESET". */
  ends(): ReadonlyMap<string, number>;
  stop(): Promise<void>;
}

const program = fileURLToPath(new URL("../lab/lasting.mjs", import.meta.url));

const LONGEST = 90; // s; nginx ends one after a thousand requests

/** All of them have had an answer when the promise is kept. */
export async function startLasting(host: Host, vip: string, count: number): Promise<Lasting> {
  const running = host.spawn([process.execPath, program, vip, "80", String(count), String(LONGEST)]);
  await running.hear(/ready/);
  const ends = () => countEach([...running.stdout.matchAll(/^ended (\S+)$/gm)].map(([, why]) => why!));
  return {
    ends,
    alive: () => count - lines(running.stdout).filter((line) => line.startsWith("ended")).length,
    stop: () => running.stop(),
  };
}
