import { expect, test } from "vitest";
import { type KeepalivedOptions, parseKeepalivedLine, umaskOf } from "./line.ts";

const defaults: KeepalivedOptions = {
  file: "/etc/keepalived/keepalived.conf",
  ...{ fork: true, respawn: true, leaveVips: false, leaveServices: false, detail: 0, strict: false, dump: false },
  log: { syslog: true, facility: 3, console: false },
  pids: {},
  notes: [],
  ...{ engine: "xdp", hook: "auto" },
};

const accepted: [argv: string[], expected: Partial<KeepalivedOptions>][] = [
  [[], {}],
  [["-nlDDG"], { fork: false, detail: 2, log: { syslog: false, facility: 3, console: true } }],
  [["-fa.conf", "--vrrp"], { file: "a.conf", only: "vrrp" }],
  [["--use-file=a.conf", "-C"], { file: "a.conf", only: "check" }],
  [["-nB"], { fork: false, noBfd: true }],
  [["--use-file", "a.conf", "-PC"], { file: "a.conf" }],
  [
    ["-p", "/run/k.pid", "-r/run/v.pid", "--checkers_pid=c"],
    { pids: { parent: "/run/k.pid", vrrp: "/run/v.pid", checkers: "c" } },
  ],
  [["-VIR"], { leaveVips: true, leaveServices: true, respawn: false }],
  [["-i", "left", "--namespace=blue"], { configId: "left", namespace: "blue" }],
  [["--name=blue"], { namespace: "blue" }], // cut short
  [["-S", "local3"], { log: { syslog: true, facility: 19, console: false } }],
  [["-g/tmp/k.log"], { log: { syslog: true, facility: 3, console: false, file: "/tmp/k.log" } }],
  [["-u", "022"], { umask: 0o22 }],
  [["-x", "-m"], { notes: ["--snmp has no effect: there is no SNMP agent in lvsd", expect.stringContaining("--core-dump")] }],
  [["word", "-n"], { fork: false, notes: ["Unexpected argument(s): word"] }],
  [["-S", "9"], { notes: ["Invalid log facility '9'"] }],
  [["--engine=kernel", "--strict"], { engine: "kernel", strict: true }],
  [["--interface", "eth0", "--interface=eth1", "--hook", "tc"], { interfaces: ["eth0", "eth1"], hook: "tc" }],
];
for (const [argv, expected] of accepted)
  test(`keepalived ${argv.join(" ")} runs`, () => {
    expect(parseKeepalivedLine(argv)).toEqual({ run: { ...defaults, ...expected } });
  });

const refused: [argv: string[], print: string][] = [
  [["--zzz"], "Unknown option --zzz\n"],
  [["-nZ"], "Unknown option -Z\n"],
  [["--vr"], "Unknown option --vr\n"], // --vrrp or --vrrp_pid
  [["-f"], "Missing parameter for option -f\n"],
  [["--name="], "Missing parameter for option --namespace\n"],
  [["--dont-fork=3"], "Unknown option --dont-fork=3\n"],
  [["--signum=FOO"], "Unknown sigfunc FOO\n"],
];
for (const [argv, print] of refused)
  test(`keepalived ${argv.join(" ")} ends with 1`, () => {
    expect(parseKeepalivedLine(argv)).toEqual({ print, to: "stderr", exit: 1 });
  });

test("-t takes a log file only when it stands with it", () => {
  expect(parseKeepalivedLine(["-t", "-f", "a"])).toEqual({ test: { ...defaults, file: "a" } });
  expect(parseKeepalivedLine(["-tlog", "-fa"])).toEqual({ test: { ...defaults, file: "a" }, logTo: "log" });
  expect(parseKeepalivedLine(["--config-test=log"])).toEqual({ test: defaults, logTo: "log" });
});

test("version and help go to standard error and end with 0, a signal's number to standard output", () => {
  const version = { print: expect.stringMatching(/^Keepalived v\d+\.\d+\.\d+ \(lvsd /), to: "stderr", exit: 0 };
  expect(parseKeepalivedLine(["-v"])).toMatchObject(version);
  expect(parseKeepalivedLine(["-h"])).toMatchObject({
    print: expect.stringContaining("--dont-release-vrrp"),
    to: "stderr",
    exit: 0,
  });
  expect(parseKeepalivedLine(["--signum=DATA"])).toEqual({ print: "10\n", to: "stdout", exit: 0 });
});

test("a umask is a number as in C, or bits", () => {
  expect(["0177", "18", "IXUSR|IRWXG|IRWXO", "IXUSR|X", "01000"].map(umaskOf)).toEqual([0o177, 18, 0o177, undefined, undefined]);
});
