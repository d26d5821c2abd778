import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { missing } from "../../config/reference.ts";
import { bundle, Host, linesOf, type Started } from "./testing/side.ts";

/** bin/keepalived beside Debian's: the same command line, and what there is to see of it. */

const why = missing();
const until = (what: () => void): Promise<void> => vi.waitFor(what, { timeout: 15_000, interval: 50 });

const VRRP = `vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  version 3
  advert_int 0.1
  virtual_ipaddress {
    10.9.0.100/32
  }
}
`;

interface Side {
  readonly host: Host;
  readonly program: readonly string[];
  keepalived(...args: string[]): Started;
}

describe.skipIf(why !== undefined)(`keepalived and lvsd in its place (${why ?? "2.2.7"})`, () => {
  let commands: Awaited<ReturnType<typeof bundle>>;
  beforeAll(async () => {
    commands = await bundle(["keepalived", "lvsd-vrrp"]);
  });
  afterAll(() => commands?.remove());
  const programs = () => [["/usr/sbin/keepalived"], [process.execPath, join(commands.folder, "bin/keepalived")]];

  /** The same on both hosts; what is seen must be the same. */
  async function both<T>(see: (side: Side) => Promise<T>): Promise<T> {
    const sides = programs().map((program): Side => {
      const host = new Host(commands.folder);
      return { host, program, keepalived: (...args) => host.start([...program, ...args]) };
    });
    try {
      const [theirs, ours] = await Promise.all(sides.map(see));
      expect(ours).toEqual(theirs);
      return ours!;
    } finally {
      for (const { host } of sides) host.remove();
    }
  }

  /** Of a log, the lines that both should have, in order of the words. */
  const known = (log: string): string[] =>
    linesOf(log)
      .filter((line) =>
        /^(\(VI_1\) Entering|Starting \w+ child|Startup complete|Stopping$|Stopped$|VRRP child|pid|daemon)/.test(line),
      )
      .sort();

  test.concurrent("it becomes master with its pid files, and a SIGTERM takes the address and the files away", async () => {
    const seen = await both(async ({ host, keepalived }) => {
      const { child, ended, log } = keepalived("-n", "-l", "-G", "-f", host.file("k.conf", VRRP));
      await until(() => expect([log(), host.holds("10.9.0.100")]).toEqual([expect.stringContaining("MASTER"), true]));
      await until(() => expect(log()).toContain("Startup complete"));
      const pids = host.pids();
      expect(pids["keepalived.pid"]).toBe(child.pid);
      expect(readFileSync(`/proc/${pids["vrrp.pid"]}/status`, "utf8")).toMatch(new RegExp(`^PPid:\\s+${child.pid}$`, "m"));
      const files = Object.keys(pids);
      const names = Object.values(pids).map((pid) => readFileSync(`/proc/${pid}/comm`, "utf8"));
      child.kill("SIGTERM");
      return {
        exit: await ended,
        files,
        names,
        holds: host.holds("10.9.0.100"),
        left: Object.keys(host.pids()),
        lines: known(log()),
      };
    });
    expect(seen.names).toEqual(["keepalived\n", "keepalived\n"]);
    expect(seen).toMatchObject({ exit: 0, files: ["keepalived.pid", "vrrp.pid"], holds: false, left: [] });
    expect(seen.lines).toContain("Starting VRRP child process, PID");
  });

  test.concurrent("a process that is killed is started again, and with -R it is the end of all; -V leaves the address", async () => {
    const seen = await both(async ({ host, keepalived }) => {
      const conf = host.file("k.conf", VRRP);
      const first = keepalived("-nlGVf", conf);
      await until(() => expect([first.log(), host.holds("10.9.0.100")]).toEqual([expect.stringContaining("complete"), true]));
      const { "vrrp.pid": before } = host.pids();
      process.kill(before!, "SIGKILL");
      await until(() => {
        const { "vrrp.pid": after } = host.pids();
        expect(after === undefined || after === before).toBe(false);
      });
      await until(() => expect(first.log()).toMatch(/VRRP child process\(\d+\) died: Respawning/));
      await until(() => expect(first.log().match(/Starting VRRP child/g)).toHaveLength(2));
      await until(() => expect(first.log().split("died: Respawning")[1]).toContain("MASTER"));
      await until(() => expect(host.holds("10.9.0.100")).toBe(true)); // keepalived takes it away at the start
      first.child.kill("SIGTERM");
      const exits = [await first.ended];
      const held = host.holds("10.9.0.100");
      const second = keepalived("-R", "--dont-fork", "-lG", `--use-file=${conf}`);
      await until(() => expect(second.log()).toContain("Startup complete"));
      process.kill(host.pids()["vrrp.pid"]!, "SIGKILL");
      exits.push(await second.ended);
      return { exits, held, exiting: /VRRP child process\(\d+\) died: Exiting/.test(second.log()), left: host.pids() };
    });
    expect(seen).toEqual({ exits: [0, 0], held: true, exiting: true, left: {} });
  });

  test.concurrent("the second one says that the daemon is running, whichever the first is", async () => {
    const seen = await both(async ({ host, keepalived }) => {
      const conf = host.file("k.conf", VRRP);
      const first = keepalived("-nlGf", conf, "-p", "/run/mine.pid");
      await until(() => expect(first.log()).toContain("Startup complete"));
      const told: unknown[] = [];
      for (const program of programs()) {
        const second = host.start([...program, "-nlGf", conf, "-p/run/mine.pid"]);
        told.push([await second.ended, second.log().includes("daemon is already running")]);
      }
      return told;
    });
    expect(seen).toEqual([
      [0, true],
      [0, true],
    ]);
  });

  test.concurrent("without -n it returns when it runs; its log goes to syslog under its processes' names", async () => {
    const seen = await both(async ({ host, keepalived }) => {
      const syslog = await host.syslog();
      const called = keepalived("-f", host.file("k.conf", VRRP), "-S", "local3");
      const exit = await called.ended;
      await until(() => expect(syslog.log()).toContain("Entering MASTER STATE"));
      await until(() => expect(syslog.log()).toContain("Startup complete"));
      const lines = syslog.log().split("\n");
      const saying = (words: string): string | undefined =>
        lines.find((line) => line.includes(words))?.replace(/^(<\d+>)\w{3} [ \d]\d [\d:]{8} (\w+)\[\d+\]: .*$/, "$1$2");
      const parent = host.pids()["keepalived.pid"]!;
      process.kill(parent, "SIGTERM");
      await until(() => expect(host.pids()).toEqual({}));
      return [exit, called.log(), saying("Startup complete"), saying("Entering MASTER"), host.holds("10.9.0.100")];
    });
    expect(seen).toEqual([0, "", "<158>Keepalived", "<158>Keepalived_vrrp", false]);
  });

  test.concurrent("startup_script runs before, shutdown_script after all", async () => {
    const seen = await both(async ({ host, keepalived }) => {
      const notes = join(host.folder, "notes");
      const holds = "ip -o address show dev eth0 | grep -c 10.9.0.100";
      const script = (name: string) => host.file(name, `#!/bin/sh\necho ${name} $(${holds}) >>${notes}\n`, 0o755);
      const globals = `global_defs {\n  startup_script ${script("up")}\n  shutdown_script ${script("down")}\n}\n`;
      const { child, ended, log } = keepalived("-nlGf", host.file("k.conf", globals + VRRP));
      await until(() => expect([log(), host.holds("10.9.0.100")]).toEqual([expect.stringContaining("complete"), true]));
      child.kill("SIGTERM");
      return [await ended, readFileSync(notes, "utf8")];
    });
    expect(seen).toEqual([0, "up 0\ndown 0\n"]);
  });

  test.concurrent("a process that does not end within child_wait_time is killed", async () => {
    const seen = await both(async ({ host, keepalived }) => {
      const { child, ended, log } = keepalived("-nlGf", host.file("k.conf", `child_wait_time 1\n${VRRP}`));
      await until(() => expect(log()).toContain("Startup complete"));
      const vrrp = host.pids()["vrrp.pid"]!;
      process.kill(vrrp, "SIGSTOP");
      child.kill("SIGTERM");
      const exit = await ended;
      await until(() => expect(existsSync(`/proc/${vrrp}`)).toBe(false));
      return [exit, log().includes("process failed to die - forcing termination")];
    });
    expect(seen).toEqual([0, true]);
  });

  test.concurrent("it goes to its network namespace, and its names tell of that and of its instance", async () => {
    const seen = await both(async ({ host, program }) => {
      const elsewhere = new Host(commands.folder);
      try {
        const conf = host.file("k.conf", `instance blue\nnet_namespace ${host.name}\n${VRRP}`);
        const { child, ended, log } = host.start([...program, "-nlGf", conf], {}, elsewhere.name);
        await until(() => expect([log(), host.holds("10.9.0.100")]).toEqual([expect.stringContaining("complete"), true]));
        const files = Object.keys(host.pids())
          .map((path) => path.replace(host.name, "NAME"))
          .sort();
        child.kill("SIGTERM");
        const name = /Changing syslog ident to (\S+)/.exec(log())?.[1]?.replace(host.name, "NAME");
        return [await ended, files, name, host.holds("10.9.0.100"), existsSync(join(host.folder, "run/keepalived"))];
      } finally {
        elsewhere.remove();
      }
    });
    const files = ["keepalived_blue.pid", "vrrp_blue.pid"].map((file) => `keepalived/NAME/${file}`);
    expect(seen).toEqual([0, files, "Keepalived_NAME_blue", false, false]);
  });

  const ends: [args: string[], exit: number, words: string][] = [
    [["-nlGf", "/none"], 6, "Config files missing '/none'."],
    [["-nlGf", "no-value.conf"], 2, ""],
    [["-nlGf", "no-number.conf"], 2, "exited with permanent error CONFIG|has no virtual_router_id"],
    [["-t", "-f", "good.conf"], 0, ""],
    [["-t", "-f", "unknown.conf"], 5, "nknown keyword 'nonsense'"],
    [["-t", "-f", "no-value.conf"], 2, ""],
    [["--zzz"], 1, "Unknown option --zzz"],
    [["-f"], 1, "Missing parameter for option -f"],
    [["stray", "-t", "-f", "good.conf"], 0, "Unexpected argument\\(s\\): stray"],
    [["--signum=STATS_CLEAR"], 0, "63"],
    [["--signum=X"], 1, "Unknown sigfunc X"],
    [["-v"], 0, "^Keepalived v2\\.2\\.7 \\("],
    [["-h"], 0, "--dont-release-vrrp"],
  ];
  test.concurrent("it ends as keepalived does, with the same words", async () => {
    const seen = await both(async ({ host, keepalived }) => {
      host.file("good.conf", VRRP);
      host.file("unknown.conf", `nonsense 1\n${VRRP}`);
      host.file("no-value.conf", VRRP.replace("advert_int 0.1", "advert_int"));
      host.file("no-number.conf", VRRP.replace("virtual_router_id 51", ""));
      const runs = ends.map(async ([args, , words], i) => {
        const { ended, log } = keepalived(...args, ...(args[0] === "-nlGf" ? [`-p/run/${i}.pid`] : []));
        const exit = await ended;
        return [args, exit, new RegExp(words).test(log()) ? words : log()];
      });
      return Promise.all(runs);
    });
    expect(seen).toEqual(ends);
  });
});
