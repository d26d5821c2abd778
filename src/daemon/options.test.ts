import { expect, test } from "vitest";
import { parseCommandLine } from "./options.ts";

const defaults = {
  engine: "xdp",
  interfaces: [],
  hook: "auto",
  xdpMode: "auto",
  connTableSize: 1_048_576,
  leave: false,
  strict: false,
  respawn: true,
  leaveVips: false,
  log: "text",
};

const accepted: [argv: string[], expected: object][] = [
  [[], {}],
  [["--interface", "eth0", "--interface", "eth1", "--interface", "eth0"], { interfaces: ["eth0", "eth1"] }],
  [["--hook", "tc", "--leave"], { hook: "tc", leave: true }],
  [["--xdp-mode=generic", "--conns", "1000"], { xdpMode: "generic", connTableSize: 1000 }],
  [["--log", "json"], { log: "json" }],
  [["-f", "keepalived.conf"], { file: "keepalived.conf" }],
  [["-f", "a.conf", "-PRV"], { file: "a.conf", only: "vrrp", respawn: false, leaveVips: true }],
  [["-f", "a.conf", "--strict", "-i", "left"], { file: "a.conf", strict: true, configId: "left" }],
  [["--engine", "kernel", "--leave"], { engine: "kernel", leave: true }],
];

for (const [argv, expected] of accepted) {
  test(`lvsd ${argv.join(" ")} runs`, () => {
    expect(parseCommandLine(argv)).toEqual({ run: { ...defaults, ...expected } });
  });
}

const refused: [argv: string[], words: string][] = [
  [["--hook", "ebpf"], "lvsd: option '--hook <hook>' argument 'ebpf' is invalid. Allowed choices are auto, xdp, tc."],
  [["--conns", "0"], "1 to 67108864"],
  [["--conns", "many"], "1 to 67108864"],
  [["--interfaces", "eth0"], "(Did you mean --interface?)"],
  [["--interface"], "argument missing"],
  [["--engine", "model"], "Allowed choices are xdp, kernel."],
  [["--engine", "kernel", "--interface", "eth0"], "lvsd: --engine kernel: --interface is for lvsd's own data path, --engine xdp"],
  [["--engine", "kernel", "--xdp-mode", "auto"], "lvsd: --engine kernel: --xdp-mode is for lvsd's own data path"],
  [["eth0"], "too many arguments"],
];

for (const [argv, words] of refused) {
  test(`lvsd ${argv.join(" ")} is a usage error that says so`, () => {
    const line = parseCommandLine(argv);
    expect(line).toMatchObject({ to: "stderr", exit: 2 });
    expect("print" in line && line.print).toContain(words);
  });
}

test("-t is for a file, keepalived's own if none is named, and starts nothing", () => {
  expect(parseCommandLine(["-t", "-f", "a.conf"])).toEqual({ test: "a.conf" });
  expect(parseCommandLine(["--config-test"])).toEqual({ test: "/etc/keepalived/keepalived.conf" });
});

for (const [name, number] of [
  ["STOP", 15],
  ["RELOAD", 1],
  ["DATA", 10],
  ["STATS", 12],
  ["STATS_CLEAR", 63],
  ["JSON", 36],
] as const) {
  test(`--signum=${name} prints ${number}, as keepalived does`, () => {
    expect(parseCommandLine([`--signum=${name}`])).toEqual({ print: `${number}\n`, to: "stdout", exit: 0 });
  });
}

test("--signum knows no other name, not even one of Object's", () => {
  for (const name of ["data", "TDUMP", "toString"])
    expect(parseCommandLine(["--signum", name])).toEqual({ print: `Unknown sigfunc ${name}\n`, to: "stderr", exit: 1 });
});

test("help and version go to standard output", () => {
  expect(parseCommandLine(["--version"])).toMatchObject({
    print: expect.stringMatching(/^lvsd \d+\.\d+\.\d+\n$/),
    to: "stdout",
    exit: 0,
  });
  const help = parseCommandLine(["--help"]);
  expect(help).toMatchObject({ to: "stdout", exit: 0 });
  for (const word of ["--engine", "--interface", "--hook", "--xdp-mode", "--leave", "LVSD_SOCKET", "Exit codes"]) {
    expect("print" in help && help.print).toContain(word);
  }
});
