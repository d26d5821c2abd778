import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { type BuildOptions, build } from "esbuild";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { ask } from "./testing/unix-http.ts";

/** lvsd as a process, each in a network namespace of its own that ends with it, with tables in memory in place of BPF. */

let folder: string;
let program: string;
const running: Started[] = [];

beforeAll(async () => {
  mkdirSync("build", { recursive: true });
  folder = mkdtempSync(resolve("build/test-lvsd-")); // inside the repository, so that koffi is found
  program = `${folder}/lvsd.mjs`;
  const require = `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);`;
  const entryPoints = ["src/daemon/testing/fake-lvsd.ts"];
  const shape: BuildOptions = { bundle: true, platform: "node", format: "esm", external: ["koffi"], banner: { js: require } };
  await build({ ...shape, entryPoints, outfile: program, logLevel: "error" });
});
afterEach(() => {
  for (const { child, place } of running.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const left = [place("sock"), place("pid")];
    child.kill("SIGKILL");
    for (const path of left) rmSync(path, { force: true });
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Started {
  readonly child: ChildProcess;
  /** All of standard error so far. */
  log(): string;
  /** What /run/lvsd holds for its namespace. */
  place(ending: "sock" | "pid"): string;
  readonly ended: Promise<number | string | null>;
}

function start(args: readonly string[], { env = {}, inside }: { env?: NodeJS.ProcessEnv; inside?: Started } = {}): Started {
  const enter = inside === undefined ? ["unshare", "--net"] : ["nsenter", `--net=/proc/${inside.child.pid}/ns/net`];
  const child = spawn(enter[0]!, [...enter.slice(1), process.execPath, program, ...args], { env: { ...process.env, ...env } });
  let text = "";
  child.stderr.on("data", (part) => {
    text += part;
  });
  const ended = new Promise<number | string | null>((done) => child.on("close", (code, signal) => done(code ?? signal)));
  let inode: number | undefined;
  const started: Started = {
    child,
    log: () => text,
    place(ending) {
      inode ??= statSync(`/proc/${child.pid}/ns/net`).ino;
      return `/run/lvsd/${inode}.${ending}`;
    },
    ended,
  };
  running.push(started);
  return started;
}

async function ready(...args: Parameters<typeof start>): Promise<Started> {
  const lvsd = start(...args);
  await vi.waitFor(() => expect(lvsd.log()).toMatch(/\bready\b/), { timeout: 10_000, interval: 20 });
  return lvsd;
}

const lo = ["--interface", "lo"];

test("a service manager that does not listen is told of, and is no reason to end", async () => {
  const lvsd = await ready(lo, { env: { NOTIFY_SOCKET: "/run/nobody-listens-here" } });
  lvsd.child.kill("SIGTERM");
  expect(await lvsd.ended).toBe(0);
  expect(lvsd.log().match(/the service manager does not listen/g)).toHaveLength(1);
});

test("it says when it is ready, answers at its namespace's socket, and a SIGTERM ends it in order", async () => {
  const lvsd = await ready(lo);
  const [sock, pid] = [lvsd.place("sock"), lvsd.place("pid")];
  expect(lvsd.log()).toMatch(/^\S+Z info ready pid=\d+ interfaces=lo hook=xdp mode=native socket=\S+\n$/);
  expect(readFileSync(pid, "utf8")).toBe(`${lvsd.child.pid}\n`);
  expect(statSync(sock).mode & 0o777).toBe(0o600);
  expect(JSON.parse((await ask(sock, "GET", "/v1/status")).text).pid).toBe(lvsd.child.pid);
  lvsd.child.kill("SIGTERM");
  expect(await lvsd.ended).toBe(0);
  expect(lvsd.log()).toMatch(/info stopping signal=SIGTERM\n\S+ info stopped forwarding=false\n$/);
  expect([existsSync(sock), existsSync(pid)]).toEqual([false, false]);
});

test("SIGINT with --leave ends it and leaves the forwarding; SIGHUP does nothing and says so", async () => {
  const lvsd = await ready([...lo, "--leave", "--log", "json"]);
  lvsd.child.kill("SIGHUP");
  await vi.waitFor(() => expect(lvsd.log()).toContain("nothing to reload"));
  lvsd.child.kill("SIGINT");
  expect(await lvsd.ended).toBe(0);
  const entries = lvsd.log().trimEnd().split("\n");
  expect(entries.map((line) => JSON.parse(line).event)).toEqual(["ready", "nothing to reload", "stopping", "stopped"]);
  expect(JSON.parse(entries[3]!).forwarding).toBe(true);
});

test("a second one in the namespace is refused with the pid of the first", async () => {
  const first = await ready(lo);
  const second = start(lo, { inside: first });
  expect(await second.ended).toBe(1);
  expect(second.log()).toBe(`lvsd: start: lvsd is running in this network namespace already, with pid ${first.child.pid}\n`);
  expect((await ask(first.place("sock"), "GET", "/v1/info")).status).toBe(200);
});

test("after a kill -9 the next one takes the stale socket and pid file over", async () => {
  const holder = spawn("unshare", ["--net", "sleep", "60"]);
  try {
    const namespace = { child: holder } as unknown as Started;
    await vi.waitFor(() => expect(statSync(`/proc/${holder.pid}/ns/net`).ino).not.toBe(statSync("/proc/self/ns/net").ino));
    const first = await ready(lo, { inside: namespace });
    const sock = first.place("sock");
    first.child.kill("SIGKILL");
    expect(await first.ended).toBe("SIGKILL");
    expect(existsSync(sock)).toBe(true);
    const second = await ready(lo, { inside: namespace });
    expect(JSON.parse((await ask(sock, "GET", "/v1/status")).text).pid).toBe(second.child.pid);
    second.child.kill("SIGTERM");
    expect(await second.ended).toBe(0);
  } finally {
    holder.kill("SIGKILL");
  }
});

test("a defect is logged with its stack and ends it with 70", async () => {
  const lvsd = await ready(lo, { env: { FAKE_TROUBLE: "defect" } });
  const left = [lvsd.place("sock"), lvsd.place("pid")];
  expect(await lvsd.ended).toBe(70);
  expect(lvsd.log()).toMatch(/error defect reason="the program is wrong" stack="TypeError: .*\n$/);
  for (const path of left) rmSync(path);
});

describe("what keeps it from starting is one line and an exit code:", () => {
  const refused: [why: string, args: string[], env: NodeJS.ProcessEnv, line: string, exit: number][] = [
    ["no such interface", ["--interface", "l0"], {}, "lvsd: start: no interface l0; did you mean lo?", 1],
    [
      "another layout",
      lo,
      { FAKE_TROUBLE: "ELAYOUT" },
      "lvsd: adopt: the pinned maps have layout 1, this lvsd has layout 2; nothing was changed",
      78,
    ],
    [
      "a file that is not there",
      ["-f", "/none/x"],
      {},
      "/none/x: error: the file is not there or cannot be read\nlvsd: /none/x has errors; nothing was started",
      78,
    ],
  ];
  for (const [why, args, env, line, exit] of refused) {
    test(why, async () => {
      const lvsd = start(args, { env });
      expect(await lvsd.ended).toBe(exit);
      expect(lvsd.log()).toBe(`${line}\n`);
    });
  }

  test("no permission", () => {
    const powerless = ["--bounding-set=-all", "--inh-caps=-all"];
    const ran = spawnSync("setpriv", [...powerless, process.execPath, program, ...lo], { encoding: "utf8" });
    expect(ran.stderr).toMatch(/^lvsd: start: not permitted \(no CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON\); run it as root[^\n]*\n$/);
    expect(ran.status).toBe(77);
  });
});
