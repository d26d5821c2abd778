import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "../src/fault.ts";
import { buildAgent, ROOT, SLOW_MS } from "./agent.ts";
import type { Case } from "./case.ts";
import { outcomeOf, planOf } from "./plan.ts";
import { type Dialect, line, type Outcome, type Side } from "./side.ts";
import { ipBatch } from "./topology.ts";

/**
 * The kernel's own IPVS, in user-mode-linux (Debian's package): one boot for a batch of cases. Each case has its own
 * network namespaces, and IPVS keeps everything a case can see (services, conns, trash, settings, timeouts) per
 * namespace, so cases share nothing. Inside UML the host's file system is root, read-only; plans and answers pass
 * through one folder of it that is mounted writable.
 */
const LINUX = "/usr/bin/linux.uml";
const MODULES = "/usr/lib/uml/modules";
const SILENCE_MS = 60_000; // without a new answer for so long (waits apart), UML is taken for hanging

const modules = [
  ...["ip_vs", "ip_vs_ftp", "ip_vs_pe_sip"],
  ..."rr wrr lc wlc fo ovf lblc lblcr dh sh mh sed nq".split(" ").map((s) => `ip_vs_${s}`),
  ...["veth", "sch_ingress", "cls_u32", "act_skbedit", "ipip", "ip_gre", "fou", "nf_conntrack"],
];

export const kernelDialect: Dialect = {
  links: [],
  ready: [],
  ipvsadm: "ipvsadm",
  quiet: 0, // one processor, and a frame sent is forwarded before send(2) returns
  patience: 0,
  // /proc/net/ip_vs_conn loses its place, and with it lines, when conns of other namespaces come and go meanwhile
  connListings: 3,
  writeSetting: (name, value) => line("W", settingPath(name), value),
  readSetting: (name) => line("R", settingPath(name)),
  mark: (mark, port, first) => [
    ...(first ? [line("X", 10_000, "tc", "qdisc", "add", "dev", "dc", "ingress")] : []),
    ...["ip", "ipv6"].map((family, i) =>
      line(
        ...["X", 10_000, "tc", "filter", "add", "dev", "dc", "ingress", "prio", 10 + i, "protocol", family, "u32", "match"],
        ...[family === "ip" ? "ip" : "ip6", "dport", port, "0xffff", "action", "skbedit", "mark", mark],
      ),
    ),
  ],
};

/** A name with dots is any setting of the network (net.ipv4.x as ipv4.x); a bare one is IPVS's. */
const settingPath = (name: string): string =>
  `/proc/sys/net/${name.includes(".") ? name.replaceAll(".", "/") : `ipv4/vs/${name}`}`;

export class KernelSide implements Side {
  readonly name = "kernel";
  private dir = "";
  private readonly running = new Set<ChildProcess>();

  async start(): Promise<void> {
    if (!existsSync(LINUX)) throw new Fault("conformance", "ENOENT", `${LINUX} is missing: install user-mode-linux`);
    mkdirSync(join(ROOT, "build", "conformance"), { recursive: true });
    this.dir = mkdtempSync(join(ROOT, "build", "conformance", "uml-"));
    mkdirSync(join(this.dir, "root", "lib"), { recursive: true });
    symlinkSync(MODULES, join(this.dir, "root", "lib", "modules"));
    writeFileSync(join(this.dir, "ip.batch"), ipBatch());
    writeFileSync(join(this.dir, "init"), initScript(this.dir, buildAgent()), { mode: 0o755 });
  }

  async run(cases: readonly Case[]): Promise<Outcome[]> {
    cases.forEach((c, i) => {
      writeFileSync(join(this.dir, `${i}.plan`), planOf(c, kernelDialect, join(this.dir, "ip.batch")));
    });
    writeFileSync(join(this.dir, "index"), cases.map((c, i) => `${c.waits > SLOW_MS ? "slow" : "fast"} ${i}\n`).join(""));
    const longest = Math.max(0, ...cases.map((c) => c.waits));
    await this.boot(SILENCE_MS + longest);
    return cases.map((c, i) => outcomeOf(c, this.answer(i)));
  }

  async stop(): Promise<void> {
    for (const child of this.running) endGroup(child);
    if (this.dir !== "" && process.env.KEEP === undefined) rmSync(this.dir, { recursive: true, force: true });
  }

  /** A case that hung has a `.part` only: what it said until then. */
  private answer(i: number): string | undefined {
    const path = ["out", "part"].map((kind) => join(this.dir, `${i}.${kind}`)).find(existsSync);
    return path === undefined ? undefined : readFileSync(path, "utf8");
  }

  private async boot(patience: number): Promise<void> {
    const words = `mem=512M rootfstype=hostfs rootflags=/ ro con=null con0=fd:0,fd:1 quiet init=${this.dir}/init`;
    const child = spawn(LINUX, words.split(" "), { stdio: ["ignore", "pipe", "pipe"], detached: true });
    this.running.add(child);
    let consoleText = "";
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (d: Buffer) => (consoleText += d.toString("latin1")));
    const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
    const watch = this.watchProgress(patience, () => endGroup(child));
    await ended;
    clearInterval(watch);
    this.running.delete(child);
    writeFileSync(join(this.dir, "console"), consoleText);
  }

  private watchProgress(patience: number, giveUp: () => void): NodeJS.Timeout {
    let finished = -1;
    let since = Date.now();
    return setInterval(() => {
      const now = readdirSync(this.dir).filter((f) => f.endsWith(".out")).length;
      if (now !== finished) since = Date.now();
      finished = now;
      if (Date.now() - since > patience) giveUp();
    }, 500);
  }
}

/** UML's own processes share its process group, which we made. */
function endGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
  } catch {
    // it has ended by itself
  }
}

const initScript = (dir: string, agent: string): string => `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mkdir /run/io
mount -t hostfs none /run/io -o ${dir}
exec >/run/io/log 2>&1
for m in ${modules.join(" ")}; do modprobe -d ${dir}/root $m; done
ip link set lo up
${agent} batch /run/io
sync
echo o >/proc/sysrq-trigger
sleep 10
`;
