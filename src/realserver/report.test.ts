import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pc from "picocolors";
import { expect, test } from "vitest";
import type { Io } from "../cli/lvsctl/command.ts";
import { connectControl } from "../cli/lvsctl/control.ts";
import { lvsctl } from "../cli/lvsctl/main.ts";
import { ip } from "../net/ip.ts";
import { addRealServer, reportText } from "./command.ts";
import { noState, type State } from "./plan.ts";
import type { Start } from "./realserver.ts";
import { report, type Seen } from "./report.ts";
import { readSysctl, writeSysctl } from "./sysctl.ts";

const vip = ip("10.0.0.100");
const own = ip("10.0.0.11");
const all = "net/ipv4/conf/all";
const lo = "net/ipv4/conf/lo";
const state: State = {
  ...noState,
  vips: [{ vip, method: "tunnel", interface: "eth0" }],
  added: [vip],
  former: { [`${all}/arp_ignore`]: "0" },
  attachments: [{ interface: "eth0", ifindex: 2, hook: "tc", ownsClsact: true }],
};
const well: Seen = {
  state,
  loopbackUp: true,
  elsewhere: [],
  addresses: [vip],
  own: [own],
  sysctls: {
    [`${all}/arp_ignore`]: "1",
    [`${all}/arp_announce`]: "2",
    [`${lo}/arp_ignore`]: "1",
    [`${lo}/arp_announce`]: "2",
    [`${all}/rp_filter`]: "0",
    "net/ipv4/conf/eth0/rp_filter": "0",
  },
  program: { attached: ["eth0"], known: [own], exits: { ipip: 3, "no-tunnel": 0 } },
};

const cases: [name: string, seen: Partial<Seen>, problem: string[]][] = [
  ["nothing is wrong where all is as start made it", {}, []],
  [
    "arp_ignore that was set back",
    { sysctls: { ...well.sysctls, [`${all}/arp_ignore`]: "0" } },
    ["arp_ignore of all is 0: this server answers ARP for the VIP"],
  ],
  [
    "a sysctl that cannot be read",
    { sysctls: Object.fromEntries(Object.entries(well.sysctls).filter(([key]) => key !== `${lo}/arp_ignore`)) },
    ["arp_ignore of lo cannot be read, so it may be that this server answers ARP for the VIP"],
  ],
  [
    "a strict filter on the tunnel's interface",
    { sysctls: { ...well.sysctls, [`${all}/rp_filter`]: "1" } },
    ["rp_filter of eth0 is 0 and rp_filter of all is 1: packets from the tunnel are dropped when the way back to the client is another interface"],
  ],
  [
    "a VIP that another interface has",
    { elsewhere: [{ vip, interface: "eth0" }] },
    ["eth0 has 10.0.0.100 too: this server answers for it on that link"],
  ],
  ["a VIP that was taken away", { addresses: [] }, ["10.0.0.100 is not on lo: this server does not take its packets"]],
  [
    "a program that was taken off",
    { program: { attached: [], known: [own], exits: {} } },
    ["eth0 has no decapsulation program: packets from the tunnel are lost; start again"],
  ],
  [
    "an address that came later",
    { own: [own, ip("10.0.0.12")] },
    ["10.0.0.12 is new here, and packets tunnelled to it are not stripped; start again"],
  ],
  [
    "pins that cannot be opened",
    { program: { problem: "open pinned: EPERM" } },
    [
      "the decapsulation program cannot be looked at: open pinned: EPERM",
    ],
  ],
  ["a loopback interface that is down", { loopbackUp: false }, ["lo is down: the host itself does not reach its VIPs"]],
]; // biome-ignore format: rows

for (const [name, seen, problems] of cases) {
  test(`the report tells of ${name}`, () => {
    expect(report({ ...well, ...seen }).problems).toEqual(problems);
  });
}

test("a person sees VIPs, sysctls and where packets went", () => {
  expect(reportText(report(well), { colors: pc.createColors(false) })).toBe(`VIP         METHOD  INTERFACE  ADDRESS
10.0.0.100  tunnel  eth0       on lo

SYSCTL                          VALUE  WANTED  BEFORE
net.ipv4.conf.all.arp_ignore        1       1       0
net.ipv4.conf.all.arp_announce      2       2
net.ipv4.conf.lo.arp_ignore         1       1
net.ipv4.conf.lo.arp_announce       2       2
net.ipv4.conf.eth0.rp_filter        0  0 or 2

DECAPSULATION  HOOK
eth0           tc    attached

FATE      REASON  PACKETS
stripped  ipip          3  an IP header
`);
});

async function run(words: string): Promise<{ exit: number; out: string; err: string; started: Start[]; stopped: unknown[] }> {
  const ran = { out: "", err: "", started: [] as Start[], stopped: [] as unknown[] };
  const io: Io = {
    out: (text) => {
      ran.out += text;
    },
    err: (text) => {
      ran.err += text;
    },
    terminal: false,
    rows: () => 24,
    pause: async () => false,
  };
  const server = {
    start: (wish: Start) => void ran.started.push(wish),
    stop: (vips: unknown) => void ran.stopped.push(vips),
    status: () => report(well),
  };
  const exit = await lvsctl(words.split(" "), io, connectControl("/nowhere"), false, [addRealServer(async () => server)]);
  return { exit, ...ran };
}

test("start takes several VIPs, in either spelling", async () => {
  const { exit, started } = await run(
    "realserver start --vip 10.0.0.100 10.0.0.101/32 --vip fd00::1 --method tunnel --interface eth1",
  );
  expect([exit, started]).toEqual([
    0,
    [{ vips: ["10.0.0.100", "10.0.0.101", "fd00::1"], method: "tunnel", interface: "eth1", hook: "auto" }],
  ]);
});

test("stop takes some VIPs or all", async () => {
  expect((await run("realserver stop --vip 10.0.0.100")).stopped).toEqual([["10.0.0.100"]]);
  expect((await run("realserver stop")).stopped).toEqual([undefined]);
});

test("status for programs is the report", async () => {
  expect(JSON.parse((await run("realserver status --json")).out)).toEqual(JSON.parse(JSON.stringify(report(well))));
});

const refused: [words: string, exit: number, message: string][] = [
  ["realserver start --method route", 2, "required option '--vip <address...>' not specified"],
  ["realserver start --vip 10.0.0.100", 2, "required option '--method <method>' not specified"],
  ["realserver start --vip 10.0.0.100 --method nat", 2, "Allowed choices are route, tunnel"],
  ["realserver start --vip 10.0.0 --method route", 1, '"10.0.0" is no IP address'],
  ["realserver start --vip 10.0.0.1/24 --method route", 1, '"10.0.0.1/24" is no IP address'],
  ["realserver start --vip 10.0.0.1 --method tunnel --gue-port 0", 1, '"0" is no port'],
];
for (const [words, code, message] of refused) {
  test(`lvsctl ${words} is refused, and nothing is done`, async () => {
    const { exit, err, started } = await run(words);
    expect([exit, started]).toEqual([code, []]);
    expect(err).toContain(message);
  });
}

test("a sysctl that is missing is undefined to read and a Fault to write", () => {
  const root = mkdtempSync(join(tmpdir(), "lvsd-sysctl-"));
  try {
    mkdirSync(join(root, "net"));
    writeFileSync(join(root, "net/one"), "0\n");
    writeSysctl("net/one", "1", root);
    expect(readSysctl("net/one", root)).toBe("1");
    expect(readSysctl("net/two", root)).toBeUndefined();
    expect(() => writeSysctl("net/two", "1", root)).toThrow(/set sysctl net\/two to 1: .* does not have it/);
  } finally {
    rmSync(root, { recursive: true });
  }
});
