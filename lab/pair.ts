import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execute, type Host } from "./host.ts";
import { prefixOf } from "./keepalived.ts";
import type { Lab } from "./lab.ts";
import { type Lvsd, type LvsdOptions, startLvsd } from "./lvsd.ts";
import { forget, pidsIn } from "./remains.ts";
import type { pair } from "./topologies/pair.ts";
import { lines, until } from "./until.ts";

/** A pair of directors, what can happen to them, and who has which address. */

export type Pair = Lab<keyof typeof pair.hosts>;

/** lvsd with a keepalived.conf of its own; its children's words are in its output. */
export function startDirector(lab: Lab<string>, host: Host, conf: string, options: LvsdOptions = {}): Promise<Lvsd> {
  const file = join(lab.directory, `${host.name}.conf`);
  writeFileSync(file, conf);
  return startLvsd(host, { ...options, arguments: ["-f", file, ...(options.arguments ?? [])] });
}

const ANSWERS = "0.3"; // s

/** The hosts that answer for an address by ARP when another one asks. Not with -c 1: arping then ends at the first answer. */
export async function answerersOf(lab: Lab<string>, asker: Host, segment: string, address: string): Promise<readonly string[]> {
  const { stdout } = await asker.exec(["timeout", "-s", "INT", ANSWERS, "arping", "-b", "-I", segment, address]);
  const macs = new Set([...stdout.matchAll(/\[([0-9A-F:]+)\]/g)].map(([, mac]) => mac!.toLowerCase()));
  return Object.values(lab.hosts)
    .filter((host) => host.interfaces.includes(segment) && macs.has(host.mac(segment)))
    .map((host) => host.name);
}

/** Those that answer for a VIP when the router asks. */
export const ownersOf = (lab: Pair, vip: string): Promise<readonly string[]> => answerersOf(lab, lab.hosts.router, "front", vip);

/** Which host the router takes for the owner of an IPv6 VIP, by the last advertisement it heard. */
export async function neighbourOf({ hosts }: Pair, vip: string): Promise<string | undefined> {
  const { stdout } = await hosts.router.exec(["ip", "-6", "neigh", "show", vip, "dev", "front"]);
  return Object.values(hosts).find((host) => host.interfaces.includes("front") && stdout.includes(host.mac("front")))?.name;
}

/** Whether a host has an address on its interface, though nobody may be able to ask it. */
export const holds = async (host: Host, vip: string): Promise<boolean> =>
  (await host.run("ip -o address show dev front")).includes(` ${vip}/`);

/** Until each address has one owner, this one. */
export async function owners(lab: Pair, wanted: Readonly<Record<string, string>>): Promise<void> {
  for (const [vip, name] of Object.entries(wanted))
    await until(`${name} alone with ${vip}`, async () => (await ownersOf(lab, vip)).join() === name);
}

/** SIGKILL for all that runs on a host, at one stroke; its addresses and its data path stay. */
export function killAll(host: Host): void {
  for (const pid of pidsIn([host.netns])) process.kill(pid, "SIGKILL");
}

/** Its cable to a switch. */
export async function cable(host: Host, is: "in" | "out", segment = "front"): Promise<void> {
  const prefix = host.netns.slice(0, -host.name.length);
  await execute(["ip", "-n", `${prefix}switch-${segment}`, "link", "set", "dev", host.name, is === "in" ? "up" : "down"]);
}

/** As a power cut: nobody is told, and nothing answers any more. */
export async function cutPower(host: Host, ...segments: readonly string[]): Promise<void> {
  killAll(host);
  for (const segment of segments.length > 0 ? segments : ["front"]) await cable(host, "out", segment);
}

/** The pid of one of lvsd's children. */
export function childOf(lvsd: Lvsd, word: "lvsd-vrrp" | "lvsd-health"): number {
  const { pid } = lvsd.running;
  const pids = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
  return pids.find((child) => readFileSync(`/proc/${child}/cmdline`, "utf8").includes(`/${word}\0`)) ?? 0;
}

/** How often a pattern is in a text. */
export const times = (text: string, pattern: string): number => lines(text).filter((line) => line.includes(pattern)).length;

/** A machine that starts has no VIP, and no data path of an lvsd from before. */
export async function boot(host: Host, vips: readonly string[]): Promise<void> {
  forget(host.netns);
  const lines = [...vips.map((vip) => `ip address del ${vip}/${prefixOf(vip)} dev front`), "tc qdisc del dev front clsact"];
  await host.run(`${lines.map((line) => `${line} 2> /dev/null`).join("; ")}; true`);
  await cable(host, "in");
}
