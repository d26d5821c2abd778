import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Done } from "./testing/alone.ts";
import { type Bundle, bundle } from "./testing/program.ts";

/**
 * The same file with keepalived 2.2.7 and with lvsd, against the same servers: what both ask on the wire, what they tell, mail
 * and log, and what table they come to. keepalived's checkers want ip_vs, so it runs in user-mode Linux.
 */

const LINUX = "/usr/bin/linux.uml";
const MODULES = "/usr/lib/uml/modules";
const here = import.meta.dirname;
const why = !existsSync(LINUX)
  ? "user-mode-linux is missing"
  : !existsSync("/usr/sbin/keepalived")
    ? "keepalived is missing"
    : undefined;
if (process.env.CI !== undefined) test("the reference is there in CI", () => expect(why).toBeUndefined());

/** LVSD_FULL=1: also through a reload. */
const FULL = process.env.LVSD_FULL === "1";
/** Of the recorder; 9100 is there in the middle third. The checks' end comes LAST before it, a reload AGAIN before that, ms. */
const LIFE = FULL ? 24_000 : 15_000;
const LAST = 2000;
const AGAIN = 4000;

/** The file after a reload: servers and services come and go, weights, quorums and checks change. */
function reloaded(text: string): string {
  const changes: [before: string | RegExp, after: string][] = [
    [/ {2}real_server 127\.0\.0\.1 8002 \{\n[\s\S]*?\n {2}\}\n/, ""], // of 50
    [/(10\.0\.0\.51[\s\S]*?) {2}real_server/, "$1  real_server 127.0.0.1 8001 {\n    TCP_CHECK {\n    }\n  }\n  real_server"],
    [/(10\.0\.0\.53[\s\S]*?real_server 127\.0\.0\.1 8001 \{\n)/, "$1    weight 6\n"],
    [/(10\.0\.0\.55[\s\S]*?quorum) 2\n {2}hysteresis 1/, "$1 1"],
    [/(10\.0\.0\.57[\s\S]*?)quorum 4/, "$1quorum 1"],
    [/virtual_server 10\.0\.0\.58[\s\S]*?\n\}\n/, ""],
    [/virtual_server fwmark 7/, "virtual_server fwmark 8"],
  ];
  return changes.reduce((now, [before, after]) => {
    const next = now.replace(before, after);
    expect(next).not.toBe(now);
    return next;
  }, text);
}
const name = `lvsdhk${process.pid}`;
const children: ChildProcess[] = [];
let dir: string;

interface Side {
  readonly records: Record<string, string[]>;
  readonly lines: string[];
  readonly log: string[];
  readonly table: Done["table"];
}
let theirs: Side;
let ours: Side;

function start(command: string, args: readonly string[], log: string): { child: ChildProcess; ended: Promise<void> } {
  const child = spawn(command, args, { stdio: "ignore", detached: true });
  children.push(child);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.once("error", () => writeFileSync(log, "not started"));
  return { child, ended };
}

const recorder = (output: string): string[] => [
  join(here, "testing", "recorder.mjs"),
  join(dir, "cert"),
  join(dir, "key"),
  output,
  String(LIFE),
];
const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The file, and beside it what it is to become. */
function writeConf(path: string): void {
  const text = readFileSync(join(here, "testing", "checks.conf"), "utf8");
  writeFileSync(path, text);
  writeFileSync(`${path}2`, reloaded(text));
}

async function keepalived(): Promise<Side> {
  const io = join(dir, "uml");
  mkdirSync(join(io, "root", "lib"), { recursive: true });
  symlinkSync(MODULES, join(io, "root", "lib", "modules"));
  const init = `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mkdir /run/io
mount -t hostfs none /run/io -o ${io}
exec >/run/io/log 2>&1
for m in ip_vs ip_vs_rr ip_vs_wlc; do modprobe -d ${io}/root $m; done
ip link set lo up
echo "0 2147483647" > /proc/sys/net/ipv4/ping_group_range
${process.execPath} ${recorder("/run/io/records").join(" ")} &
R=$!
mkfifo /run/lvsd-test-fifo
(exec 3<>/run/lvsd-test-fifo; cat <&3 > /run/io/lines) &
while ! [ -e /run/io/records.ready ]; do sleep 0.1; done
keepalived -n -l -D -C -f /run/io/conf -p /run/k.pid -c /run/c.pid &
K=$!
${FULL ? `sleep ${(LIFE - LAST - AGAIN) / 1000}\ncp /run/io/conf2 /run/io/conf\nkill -HUP $K\nsleep ${AGAIN / 1000}` : `sleep ${(LIFE - LAST) / 1000}`}
ipvsadm -Sn > /run/io/table
kill -TERM $K
wait $K
kill -TERM $R
wait $R
sync
echo o >/proc/sysrq-trigger
sleep 10
`;
  writeFileSync(join(io, "init"), init, { mode: 0o755 });
  writeConf(join(io, "conf"));
  const words = `mem=512M rootfstype=hostfs rootflags=/ ro con=null con0=fd:0,fd:1 quiet init=${io}/init`;
  const { ended } = start(LINUX, words.split(" "), join(io, "console"));
  await Promise.race([ended, later(80_000)]);
  const text = (file: string): string => readFileSync(join(io, file), "utf8");
  return {
    records: JSON.parse(text("records")) as Side["records"],
    lines: text("lines").trim().split("\n"),
    log: text("log")
      .split("\n")
      .map((line) => line.replace(/^\w+ \w+ +\d+ [\d:]+ \d+: /, "")),
    table: tableOf(text("table")),
  };
}

/** "-a -t 10.0.0.50:80 -r 127.0.0.1:8001 -m -w 1" */
function tableOf(saved: string): Done["table"] {
  const table: Done["table"] = {};
  for (const line of saved.split("\n")) {
    const [, service, dest, weight] = /^-a -\w (\S+) -r (\S+) -m -w (\d+)/.exec(line) ?? [];
    if (service === undefined || dest === undefined) continue;
    const id = /^\d+$/.test(service) ? `FWM ${service}` : service.replaceAll(/[[\]]/g, "");
    table[id] = { ...table[id], [dest.replaceAll(/[[\]]/g, "")]: Number(weight) };
  }
  return table;
}

async function lvsd(): Promise<Side> {
  const [records, output] = [join(dir, "records"), join(dir, "done")];
  execFileSync("ip", ["netns", "add", name]);
  execFileSync("ip", ["-n", name, "link", "set", "lo", "up"]);
  execFileSync("nsenter", [`--net=/run/netns/${name}`, "sh", "-c", "echo 0 2147483647 > /proc/sys/net/ipv4/ping_group_range"]);
  const inside = (args: readonly string[]) =>
    start("nsenter", [`--net=/run/netns/${name}`, process.execPath, ...args], "/dev/null");
  const { program, remove } = made;
  const servers = inside(recorder(records));
  while (!existsSync(`${records}.ready`)) await later(50);
  const conf = join(dir, "conf");
  writeConf(conf);
  const checks = inside([program, conf, output]);
  if (FULL) {
    await later(LIFE - LAST - AGAIN);
    writeFileSync(conf, readFileSync(`${conf}2`));
    checks.child.kill("SIGHUP");
    await later(AGAIN);
  } else await later(LIFE - LAST);
  checks.child.kill("SIGTERM");
  await checks.ended;
  servers.child.kill("SIGTERM");
  await servers.ended;
  remove();
  return {
    records: JSON.parse(readFileSync(records, "utf8")) as Side["records"],
    ...(JSON.parse(readFileSync(output, "utf8")) as Done),
  };
}

let made: Bundle;
describe.skipIf(why !== undefined)(`beside keepalived (${why ?? "2.2.7"})`, () => {
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), `lvsd-checks-${process.pid}-`));
    const curve = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes".split(" ");
    execFileSync("openssl", ["req", "-x509", ...curve, "-days", "9", "-subj", "/CN=x", "-keyout", "key", "-out", "cert"], {
      cwd: dir,
      stdio: "ignore",
    });
    made = await bundle(`import { main } from "./testing/alone.ts"; main(process.argv.slice(2));`);
    [theirs, ours] = await Promise.all([keepalived(), lvsd()]);
    if (process.env.KEEP !== undefined) writeFileSync(process.env.KEEP, JSON.stringify({ theirs, ours }, null, 1));
  });
  afterAll(() => {
    for (const { pid, exitCode, signalCode } of children) {
      if (pid === undefined || exitCode !== null || signalCode !== null) continue;
      try {
        process.kill(-pid, "SIGKILL"); // a group of its own, with all that it has started
      } catch {
        // it is gone
      }
    }
    execFileSync("ip", ["netns", "del", name]);
    rmSync(dir, { recursive: true });
  });

  /** Each thing that a port was told, once. Ids of DNS and local ports are random. */
  const asked = ({ records }: Side, port: string): string[] => {
    if (/^25/.test(port)) return [...new Set(records[port])].filter((text) => text.endsWith("QUIT")); // not cut off by the end
    const plain = (text: string): string => (/^53/.test(port) ? text.slice(4) : text.replace(/(?<=^127\.0\.0\.1) \d+ /, " "));
    return [...new Set((records[port] ?? []).map(plain))].sort();
  };

  const ports = ["8001", "8002", "8003", "8004", "8005", "8006", "8001 v6", "8441", "8442", "9001", "9002", "9003", "9001 v6"];
  for (const port of [...ports, "2501", "2502", "5301", "5302", "5401", "5402", "5403"]) {
    test(`the server at ${port} hears the same`, () => {
      expect(asked(theirs, port)).not.toEqual([]);
      expect(asked(ours, port)).toEqual(asked(theirs, port));
    });
  }

  /** By virtual and real server, what was told of it, in order. */
  const told = ({ lines }: Side): Record<string, string[]> => {
    const news: Record<string, string[]> = {};
    for (const line of lines) {
      const [about, state] = [line.slice(0, line.lastIndexOf(" ")), line.slice(line.lastIndexOf(" ") + 1)];
      news[about] = [...(news[about] ?? []), state];
    }
    return news;
  };
  test("the FIFO is told the same of each service and server, in the same order", () => {
    expect(Object.keys(told(theirs)).length).toBeGreaterThan(15);
    expect(told(ours)).toEqual(told(theirs));
  });

  test("the table is the same in the end", () => {
    expect(ours.table["10.0.0.53:80"]).toBeDefined();
    const filled = Object.fromEntries(Object.entries(ours.table).filter(([, dests]) => Object.keys(dests).length > 0));
    expect(filled).toEqual(theirs.table);
  });

  /** What was handed over whole, without its date. */
  const mails = ({ records }: Side): string[] =>
    (records["2525"] ?? [])
      .filter((text) => text.includes("\n.\n") && !text.includes("Shutting down")) // keepalived is gone before those are sent
      .map((text) =>
        text
          .replace(/\nDate: .*/, "")
          .replace(/\n?QUIT$/, "")
          .replace(/(?<=service : )(?!HTTP).*(?= <=)/, "why SMTP failed")
          .trim(),
      )
      .sort();
  test("the same mails are sent, byte for byte but for the date", () => {
    expect(mails(theirs).length).toBeGreaterThan(15);
    expect(mails(ours)).toEqual(mails(theirs));
  });

  test("what the log says of services, servers, quorums and weights is the same", () => {
    // at a reload keepalived says "Activating" of all again
    const words = FULL
      ? /^(Adding|Removing|Enabling|Disabling|Gained|Lost|Starting with|Changing weight|Shutting down service)/
      : /^(Adding|Removing|Enabling|Disabling|Gained|Lost|Starting with|Changing weight|Shutting down service|Activating h)/;
    const said = ({ log }: Side): string[] => log.filter((line) => words.test(line)).sort();
    expect(said(ours)).toEqual(said(theirs));
  });

  test("the log of a check begins as keepalived's, and has the reason after it", () => {
    const words =
      /^(TCP|ICMP|UDP) connection to .* success|^Remote \w+ server \S+ succeed|^(TCP|HTTP|UDP)_CHECK on service .* failed|^Misc check/;
    const said = ({ log }: Side): string[] =>
      [...new Set(log.filter((line) => words.test(line)).map((line) => line.replace(/( \(.*\))?\.$/, "")))].sort();
    expect(said(ours)).toEqual(said(theirs));
  });
});
