import { Fault } from "../src/fault.ts";
import type { Host, Result, RunOptions } from "./host.ts";
import { ROOT } from "./needs.ts";
import type { Running } from "./running.ts";
import { until } from "./until.ts";

export interface LvsdOptions {
  /** The director's interfaces; all that it has unless given. */
  readonly interfaces?: readonly string[];
  readonly hook?: "xdp" | "tc" | "auto";
  readonly xdpMode?: "native" | "generic" | "auto";
  readonly arguments?: readonly string[];
}

/** An lvsd that serves a host. */
export interface Lvsd {
  readonly running: Running;
  /** As a crash does: no warning, no clearing up. Forwarding is to go on. */
  kill9(): Promise<void>;
  stop(): Promise<void>;
}

const START_TIMEOUT = 30_000; // ms; the verifier takes seconds on a busy machine

/** @throws Fault with what lvsd said when it ends or is not ready in time */
export async function startLvsd(host: Host, options: LvsdOptions = {}): Promise<Lvsd> {
  const { interfaces = host.interfaces, hook = "auto", xdpMode = "auto" } = options;
  const flags = [...interfaces.flatMap((name) => ["--interface", name]), "--hook", hook, "--xdp-mode", xdpMode];
  const running = host.spawn([`${ROOT}bin/lvsd`, ...flags, ...(options.arguments ?? [])]);
  await running.hear(/ ready /, START_TIMEOUT);
  return {
    running,
    async kill9() {
      running.kill("SIGKILL");
      await running.ended;
    },
    stop: () => running.stop(),
  };
}

/** Our ipvsadm on a host, with its arguments as one would type them. */
export const ipvsadm = (host: Host, words: string): Promise<Result> =>
  host.exec([`${ROOT}bin/ipvsadm`, ...words.split(" ").filter((word) => word !== "")]);

/** A script that says plain `ipvsadm`, `lvsctl`, `lvsd` and means ours. */
export const runScript = (host: Host, script: string, options: RunOptions = {}): Promise<string> =>
  host.run(`set -e\n${script}`, { ...options, env: { ...options.env, ...withOurs } });

const withOurs = { PATH: `${ROOT}bin:${process.env.PATH}` };

/**
 * Makes a host a real server of VIPs, in the way its method needs: VIPs on lo, silent, decapsulation.
 * @param arrival the interface where tunnelled packets come in, if that is not the way out
 */
export async function startRealServer(
  host: Host,
  vips: readonly string[],
  method: "route" | "tunnel",
  arrival?: string,
): Promise<void> {
  const where = arrival === undefined ? [] : ["--interface", arrival];
  const words = ["lvsctl", "realserver", "start", "--vip", ...vips, "--method", method, ...where];
  await until(`real server ${host.name}`, async () => {
    const { code, stderr } = await host.exec(words, { env: withOurs });
    if (code !== 0 && !stderr.includes("try again")) throw new Fault(words.join(" "), "EXIT", stderr.trim());
    return code === 0; // one at a time on a machine: another host's may be at it
  });
}

/** What a person would look at first when packets do not arrive. Never fails. */
export async function diagnose(host: Host): Promise<string> {
  const commands = ["lvsctl status", "lvsctl services", "ipvsadm -L -n -c | head -20", "ip neigh", "ip -s link"];
  const { stdout, stderr } = await host.exec(["sh", "-c", commands.map((line) => `echo "# ${line}"; ${line}`).join("\n")], {
    env: withOurs,
  });
  return `${host.name}:\n${stdout}${stderr}`;
}
