import { execFileSync, spawn } from "node:child_process";
import {
  accessSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { accountNames, tableNames } from "./facts.ts";
import type { Facts } from "./table.ts";

/** The installed keepalived as a reference for tests: `keepalived -t` over many files in a namespace of their own. */

const KEEPALIVED = "/usr/sbin/keepalived";
export const CONFIG_ID = "left";

/** Why the reference cannot be asked, or undefined. */
export function missing(): string | undefined {
  if (process.getuid?.() !== 0) return "needs root";
  try {
    accessSync(KEEPALIVED, constants.X_OK);
  } catch {
    return "keepalived is not installed";
  }
  const version = execFileSync("/bin/sh", ["-c", `${KEEPALIVED} -v 2>&1`], { encoding: "utf8" });
  return version.includes("v2.2.7") ? undefined : "keepalived is not 2.2.7";
}

const JUDGE = `timeout -s KILL 5 ${KEEPALIVED} -t -i ${CONFIG_ID} -f "$f"`;

export interface Answer {
  /** Exit code; above 128: killed by a signal, 124: not done after 5 seconds. */
  readonly code: number;
  readonly messages: string;
}

/** A namespace with eth0 and eth1, and a folder for files. */
export class Reference {
  readonly namespace = `lvsdconf${process.pid}`;
  readonly folder = mkdtempSync(join(tmpdir(), "lvsd-config-"));
  private round = 0;

  constructor() {
    execFileSync("ip", ["netns", "add", this.namespace]);
    execFileSync("ip", ["-n", this.namespace, "link", "add", "eth0", "type", "veth", "peer", "name", "eth1"]);
    for (const link of ["lo", "eth0", "eth1"]) execFileSync("ip", ["-n", this.namespace, "link", "set", link, "up"]);
  }

  close(): void {
    execFileSync("ip", ["netns", "del", this.namespace]);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }); // a killed run may still be writing
  }

  /** Asks about texts; each becomes a file of its own. */
  async judge(texts: readonly string[]): Promise<readonly Answer[]> {
    const folder = join(this.folder, `round${this.round++}`);
    mkdirSync(folder);
    texts.forEach((text, i) => {
      writeFileSync(join(folder, `${i}.conf`), text);
    });
    return this.judgeFiles(texts.map((_, i) => join(folder, `${i}.conf`)));
  }

  async judgeFiles(paths: readonly string[]): Promise<readonly Answer[]> {
    const workers = 2;
    const chunks = Array.from({ length: workers }, (_, w) => paths.filter((_, i) => i % workers === w));
    const answers = await Promise.all(chunks.map((chunk, w) => this.run(chunk, w)));
    return paths.map((_, i) => answers[i % workers]![Math.floor(i / workers)]!);
  }

  /** Starts it with each text for a second and a half; code 124: it ran until it was told to stop. */
  async start(texts: readonly string[], options: readonly string[]): Promise<readonly Answer[]> {
    const folder = join(this.folder, `round${this.round++}`);
    mkdirSync(folder);
    const answers = texts.map((text, i) => {
      const path = join(folder, `${i}.conf`);
      writeFileSync(path, text);
      const pids = ["p", "r", "c", "b"].flatMap((flag) => [`-${flag}`, join(folder, `${i}.${flag}`)]);
      const command = ["-n", "-l", "-G", ...options, ...pids, "-i", CONFIG_ID, "-f", path].join(" ");
      return this.run([path], i, `timeout -k 5 1.5 ${KEEPALIVED} ${command}`);
    });
    return (await Promise.all(answers)).flat();
  }

  private run(paths: readonly string[], worker: number, command = JUDGE): Promise<readonly Answer[]> {
    const out = join(this.folder, `out${this.round++}.${worker}`);
    const loop = `while read -r f; do ${command} >"$0" 2>&1 </dev/null; echo "exit $?" >>"$0"; tr -d '\\000' <"$0" >>"$0.all"; echo "=====" >>"$0.all"; done`;
    return new Promise((resolve, reject) => {
      const child = spawn("ip", ["netns", "exec", this.namespace, "sh", "-c", loop, out], {
        stdio: ["pipe", "ignore", "ignore"],
        cwd: this.folder,
      });
      child.on("error", reject);
      child.on("close", () => resolve(readAnswers(paths.length === 0 ? "" : readFileSync(`${out}.all`, "latin1"))));
      child.stdin.end(paths.map((path) => `${path}\n`).join(""));
    });
  }
}

function readAnswers(text: string): Answer[] {
  return text
    .split("=====\n")
    .slice(0, -1)
    .map((part) => {
      const at = part.lastIndexOf("exit ");
      return { code: Number(part.slice(at + 5)), messages: part.slice(0, at) };
    });
}

const SEARCH = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** The facts of this machine inside the reference's namespace. */
export function machineFacts(): Facts {
  return {
    interfaces: new Set(["lo", "eth0", "eth1"]),
    macvlans: new Set(),
    users: accountNames(readFileSync("/etc/passwd", "utf8")),
    groups: accountNames(readFileSync("/etc/group", "utf8")),
    cpus: cpus().length,
    names: Object.fromEntries(["rt_tables", "rt_protos", "rt_scopes", "rt_realms", "group"].map((t) => [t, namesOf(t)])),
    resolves: (name) => name === "localhost",
    script: (path) => (isFile(path.startsWith("/") ? [path] : SEARCH.map((dir) => join(dir, path))) ? "ok" : "missing"),
  };
}

function namesOf(table: string): ReadonlySet<string> {
  try {
    return tableNames(readFileSync(`/etc/iproute2/${table}`, "utf8"));
  } catch {
    return new Set();
  }
}

function isFile(paths: readonly string[]): boolean {
  return paths.some((path) => {
    try {
      return statSync(path).isFile();
    } catch {
      return false;
    }
  });
}

/** The samples of Debian's package. */
export function samples(): readonly string[] {
  const folder = "/usr/share/doc/keepalived/samples";
  try {
    return readdirSync(folder)
      .filter((name) => name.startsWith("keepalived.conf"))
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}
