import { mkdtempSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createApi } from "../../daemon/api.ts";
import type { Orders } from "../../daemon/keepalived/orders.ts";
import type { FileStatus } from "../../daemon/routes.ts";
import { FakeDirector, silent } from "../../daemon/testing/fake-director.ts";
import { type DestSpec, familyOfService, type Operation, type ServiceKey } from "../../director/director.ts";
import { ip } from "../../net/ip.ts";
import type { Io } from "./command.ts";
import { connectControl } from "./control.ts";
import { lvsctl } from "./main.ts";

let folder: string;
let path: string;
let director: FakeDirector;
let server: Server;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "lvsctl-"));
  path = join(folder, "sock");
  director = new FakeDirector(["eth0", "eth1"]);
  const status = { pid: 42, version: "1.2.3", uptimeSeconds: 250 };
  const host = {
    director,
    status: () => ({
      ...status,
      engine: director.engine,
      attachments: director.attachments(),
      table: director.tableUse(),
      exits: director.exits(),
    }),
    explain: director.explain,
    file: {
      ...{ vrrp: async () => vrrp, checks: async () => checks, bfd: async () => bfd, orders: () => orders },
      dump: async (name: string, clear: boolean) => (name === "json" ? "[]" : `${name} of now${clear ? ", cleared" : ""}\n`),
    },
  };
  server = createApi(host, silent, "1");
  await new Promise<void>((resolve) => server.listen(path, resolve));
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

let orders: Orders | undefined;
let vrrp: Awaited<ReturnType<FileStatus["vrrp"]>> = [];
let bfd: Awaited<ReturnType<FileStatus["bfd"]>> = [];
let checks: Awaited<ReturnType<FileStatus["checks"]>> = [];

const web: ServiceKey = { protocol: "tcp", addr: ip("10.0.0.100"), port: 80 };
const mark: ServiceKey = { fwmark: 5, family: "ipv6" };
const addService = (key: ServiceKey): Operation => {
  const plain = { schedFlags: [], persistSeconds: 300, onePacket: false, pe: "" };
  return {
    op: "add-service",
    service: { key, scheduler: "wlc", netmask: familyOfService(key) === "ipv4" ? 0xffffffff : 128, ...plain },
  };
};
const addDest = (addr: string, weight: number): Operation => {
  const plain = { upper: 0, lower: 0, tunnel: { type: "ipip", port: 0, checksum: "none" }, toa: false } as const;
  const dest: DestSpec = { addr: ip(addr), port: 8080, method: "nat", weight, ...plain };
  return { op: "add-dest", key: web, dest };
};

interface Ran {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `lvsctl` with these words; a terminal shows `frames` frames before Ctrl-C. */
async function run(words: string, { frames = 0, at = path }: { frames?: number; at?: string } = {}): Promise<Ran> {
  let [out, err, left] = ["", "", frames];
  const io: Io = {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    terminal: frames > 0,
    rows: () => 3,
    pause: async () => --left > 0,
  };
  const exit = await lvsctl(words.split(" "), io, connectControl(at), false);
  return { exit, out, err };
}

const shown = async (words: string): Promise<string> => {
  const { exit, out, err } = await run(words);
  expect([exit, err]).toEqual([0, ""]);
  return out;
};

const lines = (...text: string[]): string => text.map((line) => `${line}\n`).join("");

describe("of a configuration file", () => {
  test("without one there is nothing to show", async () => {
    expect(await shown("vrrp")).toBe("no VRRP instances\n");
    expect(await shown("checks")).toBe("no checked services\n");
    expect(await shown("checks --json")).toBe("[]\n");
    expect(await shown("bfd")).toBe("no BFD sessions\n");
  });

  test("dumps are shown as they are, with an end of line; only the stats can be cleared", async () => {
    expect(await shown("dump data")).toBe("data of now\n");
    expect(await shown("dump json")).toBe("[]\n");
    expect(await shown("dump stats --clear")).toBe("stats of now, cleared\n");
    expect((await run("dump data --clear")).exit).toBe(2);
    expect((await run("dump bfd")).exit).toBe(2);
  });

  test("instances are shown with their state, their addresses and what is wrong", async () => {
    const counters = { refused: {} } as unknown as (typeof vrrp)[number]["counters"];
    const rest = {
      family: "ipv4",
      version: 3,
      priority: 100,
      source: undefined,
      master: undefined,
      troubles: [],
      ...{ lastTransition: 0, dueIn: undefined, masterInterval: 1000, masterDown: 3609, totalPriority: 100 },
      ...{ isPending: false, sockets: undefined, ifindex: undefined },
      rivals: [],
      counters,
    } as const;
    const own = { vrid: 51, interface: "eth0", age: 65_000, addresses: [ip("10.0.0.100")] };
    const trouble = {
      peer: ip("10.0.0.2"),
      field: "interval",
      got: "2 s",
      expected: "1 s",
      count: 14,
      age: 29_000,
      lastAge: 1200,
    };
    const following = { state: "BACKUP", master: { from: ip("10.0.0.3"), priority: 200 } } as const;
    vrrp = [
      { ...rest, ...own, name: "VI_1", state: "MASTER", effectivePriority: 100, isHolding: true, faults: [] },
      { ...rest, ...own, name: "VI_2", state: "FAULT", effectivePriority: 0, isHolding: false, faults: ["eth0 is down"] },
      { ...rest, ...own, ...following, name: "VI_3", effectivePriority: 100, isHolding: false, faults: [] },
    ];
    expect(await shown("vrrp")).toBe(
      lines(
        "INSTANCE  STATE   SINCE  INTERFACE  VRID  PRIORITY  MASTER    ADDRESSES",
        "VI_1      MASTER  1m 5s  eth0         51       100  itself    10.0.0.100",
        "VI_2      FAULT   1m 5s  eth0         51         0            10.0.0.100 eth0 is down",
        "VI_3      BACKUP  1m 5s  eth0         51       100  10.0.0.3  10.0.0.100",
      ),
    );
    vrrp = [{ ...vrrp[0]!, troubles: [trouble], rivals: [trouble.peer] }];
    expect(await shown("vrrp")).toBe(
      lines(
        "INSTANCE  STATE   SINCE  INTERFACE  VRID  PRIORITY  MASTER               ADDRESSES",
        "VI_1      MASTER  1m 5s  eth0         51       100  itself and 10.0.0.2  10.0.0.100",
        "",
        "INSTANCE  PEER      FIELD     GOT  EXPECTED  ADVERTS  SINCE  LAST",
        "VI_1      10.0.0.2  interval  2 s  1 s            14  29s    1s ago",
      ),
    );
  });

  test("BFD sessions are shown with what was agreed and why they failed last", async () => {
    const counters = { sent: 10, received: 10, ups: 1, refused: {} };
    const rest = {
      source: undefined,
      diagnostic: "No Diagnostic",
      multiplier: 3,
      discriminator: 5,
      isPolling: false,
      isMute: false,
      counters,
    };
    const remote = {
      state: "Up",
      diagnostic: "No Diagnostic",
      discriminator: 7,
      minTx: 100,
      minRx: 100,
      multiplier: 3,
      demand: false,
    } as const;
    const own = { ...rest, neighbour: ip("10.9.0.2"), age: 65_000, remote: { ...remote, heardAge: 50 } };
    const fell = { age: 65_500, diagnostic: "Control Detection Time Expired" };
    const silent = { ...own.remote, state: "Down", heardAge: undefined } as const;
    const far = { ...counters, refused: { ttl: 4 } };
    bfd = [
      { ...own, name: "B1", state: "Up", transmitInterval: 100, detectionTime: 300.5, fell },
      {
        ...own,
        name: "B2",
        state: "Down",
        transmitInterval: 1000,
        detectionTime: 0,
        remote: silent,
        fell: undefined,
        counters: far,
      },
    ];
    expect(await shown("bfd")).toBe(
      lines(
        "SESSION  STATE  SINCE  NEIGHBOUR  ITS STATE  SENDS EVERY  DETECTS IN  LAST FAILURE",
        "B1       Up     1m 5s  10.9.0.2   Up              100 ms    300.5 ms  1m 5s ago: Control Detection Time Expired",
        "B2       Down   1m 5s  10.9.0.2   Down           1000 ms              4 packets refused: ttl",
      ),
    );
    expect(JSON.parse(await shown("bfd --json"))[0]).toMatchObject({ state: "Up", fell });
  });

  test("real servers are shown with their checks: since when, why, the next try, retries left, how long it took", async () => {
    const check = { type: "TCP_CHECK", isUp: true, hasRun: true, age: 65_000, retriesLeft: 1, isHeld: false } as const;
    const good = { ...check, last: "ok", took: 0.34, nextIn: 4900 };
    const bad = { ...good, isUp: false, retriesLeft: 0, last: "connection refused", took: 1234 };
    const server = (n: number, more: object) => ({
      ...{ name: `[10.0.0.1${n}]:tcp:80`, isAlive: true, age: 65_000, weight: 3, weightNow: 3, checks: [], ...more },
    });
    const failure = { reason: "timeout", age: 400_000 };
    checks = [
      {
        ...{ name: "[10.0.0.100]:tcp:80", hasQuorum: false, quorum: 2, weight: 3, isSuspended: false },
        servers: [
          server(1, { checks: [{ ...check, hasRun: false, nextIn: 100 }] }),
          server(2, { isAlive: false, checks: [good, { ...bad, type: "HTTP_GET" }] }),
          server(3, { weight: 10, weightNow: 4, checks: [{ ...good, failure }] }),
          server(4, { checks: [{ ...good, retriesLeft: 0, last: "connection refused" }] }),
          server(5, { isAlive: false, checks: [{ ...bad, last: "ok", isHeld: true, failure }] }),
        ],
      },
      {
        ...{ name: "FWM 5", hasQuorum: true, quorum: 1, weight: 3, isSuspended: true },
        servers: [server(6, {})],
      },
    ];
    expect(await shown("checks")).toBe(
      lines(
        "SERVICE                             SERVER              STATE  SINCE   WEIGHT  CHECK        TOOK  NEXT  RETRIES  RESULT",
        "[10.0.0.100]:tcp:80 without quorum  [10.0.0.11]:tcp:80  up     1m 5s        3  TCP_CHECK          0.1s        1  not yet tried",
        "                                    [10.0.0.12]:tcp:80  down   1m 5s        3  TCP_CHECK   0.3ms  4.9s        1  ok",
        "                                                                               HTTP_GET   1234ms  4.9s           connection refused",
        "                                    [10.0.0.13]:tcp:80  up     1m 5s  4 of 10  TCP_CHECK   0.3ms  4.9s        1  ok; failed 6m 40s ago: timeout",
        "                                    [10.0.0.14]:tcp:80  up     1m 5s        3  TCP_CHECK   0.3ms  4.9s        0  failed, may be tried again: connection refused",
        "                                    [10.0.0.15]:tcp:80  down   1m 5s        3  TCP_CHECK  1234ms  4.9s           ok, but not yet for long enough, since it flaps; failed 6m 40s ago: timeout",
        "FWM 5 suspended                     [10.0.0.16]:tcp:80  up     1m 5s        3  none",
      ),
    );
    expect(JSON.parse(await shown("checks --json"))).toEqual(checks);
  });
});

describe("status", () => {
  test("shows the daemon, its interfaces, and where packets went", async () => {
    director.connCount = 524_288;
    expect(await shown("status")).toBe(
      lines(
        "lvsd 1.2.3, xdp, pid 42, up 4m 10s",
        "524288 of 1048576 conns (50%), 0 services, 0 dests",
        "",
        "INTERFACE  INDEX  HOOK  MODE",
        "eth0           2  xdp   native",
        "eth1           3  xdp   native",
        "",
        "FATE       REASON      PACKETS",
        "forwarded  nat            1000",
        "passed     no-service        3",
        "dropped    no-dest           7",
        "dropped    table-full        1",
      ),
    );
  });

  test("of a daemon with no interface and no packets says so", async () => {
    Object.assign(director, { interfaces: [], exits: () => ({ nat: 0 }) });
    const text = await shown("status");
    expect(text).toContain("no interface: nothing is forwarded\n");
    expect(text).toContain("no packets yet\n");
  });

  test("over the kernel's IPVS tells what there is to tell", async () => {
    const tableUse = () => ({ conns: 7, capacity: 0, services: 2, dests: 3 });
    Object.assign(director, { engine: "kernel", interfaces: [], exits: () => ({}), tableUse });
    expect(await shown("status")).toBe(lines("lvsd 1.2.3, kernel, pid 42, up 4m 10s", "7 conns, 2 services, 3 dests"));
  });

  test("--json is what the daemon says", async () => {
    expect(JSON.parse(await shown("status --json"))).toMatchObject({ pid: 42, exits: director.exits() });
  });
});

describe("services", () => {
  test("are shown with their dests, newest first", async () => {
    director.apply([addService(web), addDest("10.0.0.11", 1), addDest("10.0.0.12", 0), addService(mark)]);
    expect(await shown("services")).toBe(
      lines(
        "SERVICE            SCHEDULER              DEST            METHOD  WEIGHT  ACTIVE  INACTIVE  HOP",
        "tcp 10.0.0.100:80  wlc, persistent 5m 0s  10.0.0.12:8080  nat          0       0         0",
        "                                          10.0.0.11:8080  nat          1       0         0",
        "fwmark 5 ipv6      wlc, persistent 5m 0s  no dests",
      ),
    );
    expect(JSON.parse(await shown("services --json")).length).toBe(2);
  });

  test("that are not there are not an empty table", async () => {
    expect(await shown("services")).toBe("no services\n");
    expect(await shown("top --once")).toBe("no services\n");
  });
});

test("conns are shown one a line, all of them", async () => {
  director.connCount = 5000;
  const text = (await shown("conns")).split("\n");
  expect(text.length).toBe(5002);
  expect(text.slice(0, 2)).toEqual([
    "PROTO  CLIENT                 VIRTUAL                DEST                   METHOD   STATE        EXPIRES",
    "tcp    192.0.2.7:0            10.0.0.100:80          10.0.0.11:8080         nat      ESTABLISHED  15m 0s",
  ]);
  const json = (await shown("conns --json")).trimEnd().split("\n");
  expect(JSON.parse(json[4999]!).client).toEqual({ addr: "192.0.2.7", port: 4999 });
});

describe("top", () => {
  beforeEach(() => void director.apply([addService(web), addDest("10.0.0.11", 3)]));

  test("looks once where there is no terminal", async () => {
    const table = lines(
      "SERVICE            CONNS/S  IN PKT/S  OUT PKT/S  IN B/S  OUT B/S  ACTIVE  INACTIVE  WEIGHT",
      "tcp 10.0.0.100:80        0         0          0       0        0",
      "  10.0.0.11:8080         0         0          0       0        0       0         0       3",
    );
    expect(await shown("top")).toBe(table);
    expect(await shown("top --once")).toBe(table);
    expect(JSON.parse(await shown("top --json"))[0].dests[0].weight).toBe(3);
  });

  test("goes on until Ctrl-C on a terminal, within its height, and leaves the cursor visible", async () => {
    const { exit, out } = await run("top", { frames: 3 });
    const frames = out.split("\x1b[H\x1b[J");
    expect([exit, frames.length]).toEqual([0, 4]);
    expect(frames[1]!.split("\n").length).toBe(2);
    expect(out.startsWith("\x1b[?25l") && out.endsWith("\x1b[?25h")).toBe(true);
  });
});

describe("explain", () => {
  test("tells what would become of a packet", async () => {
    expect(await shown("explain 192.0.2.7:4000 10.0.0.100:80")).toBe("tcp to 10.0.0.100\n");
    expect(await shown("explain [::1]:4000 [2001:db8::1]:53 --udp")).toBe("udp to 2001:db8::1\n");
    expect(await shown("explain 192.0.2.7:1 10.0.0.100:80 --sctp --iface eth0")).toBe("sctp to 10.0.0.100 by eth0\n");
    expect(JSON.parse(await shown("explain 192.0.2.7:4000 10.0.0.100:80 --json")).verdict).toBe("pass");
  });

  test("takes only addresses with ports", async () => {
    const { exit, out, err } = await run("explain 192.0.2.7 10.0.0.100:80");
    expect([exit, out]).toEqual([2, ""]);
    expect(err).toMatch(
      /^lvsctl: command-argument value '192.0.2.7' is invalid for argument 'client'. Expected ADDRESS:PORT.*\n$/,
    );
  });
});

describe("mark", () => {
  test("rules are added behind the others or where they are told to, and listed with their numbers", async () => {
    expect(await shown("mark list")).toBe("no mark rules\n");
    await shown("mark add --set 5 --proto tcp --src 10.0.0.0/255.0.0.0 --dst 10.0.0.100 --dport 80-443 --iface eth0");
    await shown("mark add --set 0x10 --sport 1000:2000");
    await shown("mark add --set 7 -6");
    await shown("mark add --set 6 --dst 2001:DB8:0::/32 --at 1");
    expect(await shown("mark list")).toBe(
      lines(
        "#  MARK  FAMILY  PROTO  SOURCE      SPORT      DESTINATION    DPORT   INTERFACE",
        "1     6  ipv6    any    any         any        2001:db8::/32  any     any",
        "2     5  ipv4    tcp    10.0.0.0/8  any        10.0.0.100/32  80-443  eth0",
        "3    16  ipv4    any    any         1000-2000  any            any     any",
        "4     7  ipv6    any    any         any        any            any     any",
      ),
    );
    expect(JSON.parse(await shown("mark list --json"))).toEqual(director.marks());
  });

  test("rules are deleted by number, or all of them", async () => {
    for (const n of [1, 2, 3]) await shown(`mark add --set ${n}`);
    await shown("mark delete 2");
    expect(director.marks().map(({ mark }) => mark)).toEqual([1, 3]);
    expect(await run("mark delete 3")).toEqual({ exit: 1, out: "", err: "lvsctl: mark delete: there is no rule 3\n" });
    await shown("mark clear");
    expect(director.marks()).toEqual([]);
  });

  test("rules of two families are refused in one line", async () => {
    const err = "lvsctl: mark add: a rule is about IPv4 or IPv6, not both\n";
    expect(await run("mark add --set 1 --src 10.0.0.1 --dst ::1")).toEqual({ exit: 1, out: "", err });
    expect(await run("mark add --set 1 --src 10.0.0.1 -6")).toEqual({ exit: 1, out: "", err });
  });

  for (const words of [
    ...[
      "",
      " --set x",
      " --set 4294967296",
      " --set 1 --proto icmp",
      " --set 1 --src 10.0.0.0/33",
      " --set 1 --src 10.0.0.0/255.0.255.0",
    ],
    ...[" --set 1 --dport 0", " --set 1 --dport 9-8", " --set 1 --dport 65536", " --set 1 --at 0", " --set 1 --dst localhost"],
  ]) {
    test(`"mark add${words}" is a usage error`, async () => {
      expect((await run(`mark add${words}`)).exit).toBe(2);
      expect(director.marks()).toEqual([]);
    });
  }
});

describe("settings", () => {
  test("are listed, and changed in the words of the director", async () => {
    expect(await shown("settings")).toBe(lines("SETTING         VALUE", "drop_entry      0", "sync_threshold  3 50"));
    expect(await shown("set drop_entry 3")).toBe("");
    expect(await shown("set drop_entry 3 --json")).toBe('{\n  "drop_entry": "3"\n}\n');
    expect(director.applied[0]).toEqual({ op: "set-setting", name: "drop_entry", value: "3" });
  });

  test("that the director refuses are one line and exit 1", async () => {
    director.apply = () => [{ index: 0, code: "EINVAL", message: "drop_entry takes 0 to 3" }];
    expect(await run("set drop_entry 9")).toEqual({ exit: 1, out: "", err: "lvsctl: set drop_entry: drop_entry takes 0 to 3\n" });
  });
});

describe("what goes wrong is one line:", () => {
  test("no daemon", async () => {
    const at = join(folder, "none");
    const err = `lvsctl: no lvsd answers at ${at} (ENOENT); is one running in this network namespace?\n`;
    expect(await run("status", { at })).toEqual({ exit: 1, out: "", err });
  });

  for (const words of ["", "stat", "status --yaml", "set drop_entry", "status now"]) {
    test(`"lvsctl ${words}" is a usage error`, async () => {
      const { exit, out } = await run(words);
      expect([exit, out]).toEqual([2, ""]);
    });
  }

  test("help and version are no errors", async () => {
    expect(await shown("--version")).toMatch(/^lvsctl \d/);
    const help = await shown("--help");
    for (const word of ["status", "top", "explain", "set", "settings", "conns", "services", "mark"])
      expect(help).toContain(`  ${word} `);
  });
});
