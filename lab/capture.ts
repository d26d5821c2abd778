import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { decode, type Frame } from "./frame.ts";
import type { Host } from "./host.ts";
import type { Lab } from "./lab.ts";
import { readPcap } from "./pcap.ts";

export interface CaptureOptions {
  readonly interface: string;
  /** pcap-filter(7); everything unless given. */
  readonly filter?: string;
  readonly direction?: "in" | "out";
  /** It ends by itself after this many frames (10 000) or milliseconds (60 000), whichever is first. */
  readonly frames?: number;
  readonly timeout?: number;
}

export interface Capture {
  /** End it and say what was seen. */
  stop(): Promise<readonly Frame[]>;
  /** Wait for its number of frames (or its time), and say what was seen. */
  full(): Promise<readonly Frame[]>;
}

let captures = 0;

/** What passes an interface, by tcpdump; it is listening when the promise is kept. */
export async function startCapture(lab: Lab<string>, host: Host, options: CaptureOptions): Promise<Capture> {
  const { frames = 10_000, timeout = 60_000, filter = "", direction = "inout" } = options;
  const path = join(lab.directory, `capture-${++captures}-${host.name}.pcap`);
  const flags = ["--immediate-mode", "-U", "-n", "-Z", "root", "-i", options.interface, "-Q", direction];
  const tcpdump = host.spawn(["tcpdump", ...flags, "-c", String(frames), "-w", path, ...(filter === "" ? [] : [filter])]);
  const timer = setTimeout(() => tcpdump.kill("SIGINT"), timeout);
  await tcpdump.hear(/listening on/);

  const full = async (): Promise<readonly Frame[]> => {
    await tcpdump.ended;
    clearTimeout(timer);
    return decode(path, readPcap(readFileSync(path)));
  };
  const stop = async (): Promise<readonly Frame[]> => {
    await delay(LINGER);
    tcpdump.kill("SIGINT");
    return full();
  };
  return { stop, full };
}

const LINGER = 150; // ms: the last frames are on their way to tcpdump still
