import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "../src/fault.ts";
import { buildAgent, ROOT } from "./agent.ts";
import type { Case } from "./case.ts";
import { outcomeOf, planOf } from "./plan.ts";
import { type Dialect, line, type Outcome, type Side } from "./side.ts";
import { ipBatch } from "./topology.ts";

/**
 * lvsd in the same topology, on this host: the agent makes three namespaces of its own for each case (they have no names
 * and end with it), starts bin/lvsd in the director's, waits until `bin/ipvsadm -Ln` answers, and carries the case out.
 */
export const SIDE_BY_SIDE = 3; // cases at a time: mostly they wait
const START_MS = 60_000;
const STEP_MS = 3_000; // a command or a run of picks, on a machine that has much else to do

const bin = (name: string): string => join(ROOT, "bin", name);

export type Hook = "xdp" | "tc";

export function lvsdDialect(hook: Hook): Dialect {
  return {
    links: hook === "xdp" ? ["gro"] : [],
    ready: [
      line("B", bin("lvsd"), "--interface", "dc", "--interface", "dr", "--hook", hook),
      line("G", START_MS, bin("ipvsadm"), "-Ln"),
    ],
    ipvsadm: bin("ipvsadm"),
    quiet: 3,
    patience: 40,
    writeSetting: (name, value) =>
      name.includes(".")
        ? line("W", `/proc/sys/net/${name.replaceAll(".", "/")}`, value)
        : line("X", 10_000, bin("lvsctl"), "set", "--", name, value),
    readSetting: () => line("X", 10_000, bin("lvsctl"), "settings", "--json"),
    // lvsd sees packets before any firewall, so marks are rules of its own
    mark: (mark, port) =>
      [[], ["-6"]].map((family) =>
        line("X", 10_000, bin("lvsctl"), "mark", "add", ...family, "--set", String(mark), "--dport", String(port)),
      ),
  };
}

export class LvsdSide implements Side {
  readonly name: string;
  private readonly dialect: Dialect;
  private dir = "";
  private agent = "";
  private readonly running = new Set<ChildProcess>();
  private readonly atOnce: number;

  /** @param atOnce cases at a time */
  constructor(hook: Hook, atOnce = SIDE_BY_SIDE) {
    this.name = `lvsd on ${hook}`;
    this.dialect = lvsdDialect(hook);
    this.atOnce = atOnce;
  }

  async start(): Promise<void> {
    const missing = ["lvsd", "ipvsadm", "lvsctl"].filter((name) => !existsSync(bin(name)));
    if (missing.length > 0)
      throw new Fault("conformance", "ENOENT", `${missing.map(bin).join(", ")} not there yet: run "make build"`);
    if (process.getuid?.() !== 0) throw new Fault("conformance", "EPERM", "the lvsd side makes network namespaces: run as root");
    this.agent = buildAgent();
    mkdirSync(join(ROOT, "build", "conformance"), { recursive: true });
    this.dir = mkdtempSync(join(ROOT, "build", "conformance", "lvsd-"));
    writeFileSync(join(this.dir, "ip.batch"), ipBatch());
  }

  async run(cases: readonly Case[]): Promise<Outcome[]> {
    const outcomes: Outcome[] = new Array(cases.length);
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < cases.length) {
        const i = next++;
        outcomes[i] = await this.runOne(cases[i]!, i);
      }
    };
    await Promise.all(Array.from({ length: this.atOnce }, worker));
    return outcomes;
  }

  async stop(): Promise<void> {
    for (const child of this.running) child.kill("SIGKILL");
    if (this.dir !== "" && process.env.KEEP === undefined) rmSync(this.dir, { recursive: true, force: true });
  }

  private async runOne(c: Case, i: number): Promise<Outcome> {
    const plan = join(this.dir, `${i}.plan`);
    const result = join(this.dir, `${i}.out`);
    writeFileSync(plan, planOf(c, this.dialect, join(this.dir, "ip.batch")));
    const child = spawn(this.agent, ["run", plan, result], { stdio: ["ignore", "ignore", "pipe"] });
    this.running.add(child);
    let said = "";
    child.stderr.on("data", (d: Buffer) => (said = (said + d.toString()).slice(-4000)));
    const tooLong = setTimeout(() => child.kill("SIGKILL"), 60_000 + c.steps.length * STEP_MS + c.waits);
    await new Promise<void>((resolve) => child.once("close", () => resolve()));
    clearTimeout(tooLong);
    this.running.delete(child);
    const outcome = outcomeOf(c, existsSync(result) ? readFileSync(result, "utf8") : undefined);
    return "failure" in outcome ? { ...outcome, failure: `${outcome.failure}\n${said.trim()}` } : outcome;
  }
}
