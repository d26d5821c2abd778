import { execFile, execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Family, familyOf, type Ip, ip } from "../net/ip.ts";
import { inNamespace, netnsInode, netnsPath } from "../platform/namespace.ts";
import { closeFd } from "../platform/process.ts";
import { ipAddress } from "../platform/sockaddr.ts";
import {
  AF_INET,
  AF_INET6,
  bindSocket,
  interfaceIndex,
  listenSocket,
  openPacketSocket,
  openSocket,
  receiveFrom,
  SOCK_DGRAM,
  SOCK_STREAM,
  send,
  setReceiveTimeout,
} from "../platform/socket.ts";
import { eth, type Frame } from "../wire/build.ts";
import { type Hook, objectPath } from "./decap.ts";
import { type Start, start, status, stop } from "./realserver.ts";

/**
 * Two namespaces:   way (a client and a director, played by packet sockets)  w0 ---veth--- r0  real server
 */

const MAC = { way: "02:00:00:00:00:01", server: "02:00:00:00:00:02" } as const;
const VIP4 = ip("10.99.0.100");
const VIP4B = ip("10.99.0.101");
const VIP6 = ip("fd99::100");
const CLIENT = { ipv4: "192.0.2.7", ipv6: "2001:db8::7" } as const;
const DIRECTOR = { ipv4: "10.99.0.1", ipv6: "fd99::1" } as const;
const RIP = { ipv4: "10.99.0.11", ipv6: "fd99::11" } as const;

let serial = 0;
let way: string;
let server: string;
const run = (...words: string[]): string => execFileSync(words[0]!, words.slice(1), { encoding: "utf8" });
const inServer = <T>(work: () => T): T => inNamespace(netnsPath(server), work);

beforeEach(() => {
  const prefix = `lvsd-rs-${process.pid}-${++serial}`;
  way = `${prefix}w`;
  server = `${prefix}s`;
  for (const name of [way, server]) run("ip", "netns", "add", name);
  run(
    "ip",
    "-n",
    way,
    "link",
    "add",
    "w0",
    "address",
    MAC.way,
    "type",
    "veth",
    "peer",
    "name",
    "r0",
    "address",
    MAC.server,
    "netns",
    server,
  );
  const up = (name: string, link: string) => run("ip", "-n", name, "link", "set", link, "addrgenmode", "none", "up");
  run("ip", "-n", server, "link", "set", "lo", "up");
  up(way, "w0");
  up(server, "r0");
  for (const family of ["ipv4", "ipv6"] as const) {
    const length = family === "ipv4" ? 24 : 64;
    const version = family === "ipv4" ? "-4" : "-6";
    run("ip", "-n", server, "address", "add", `${RIP[family]}/${length}`, "dev", "r0", ...(family === "ipv6" ? ["nodad"] : []));
    run("ip", version, "-n", server, "neighbour", "add", DIRECTOR[family], "lladdr", MAC.way, "dev", "r0");
    run("ip", version, "-n", server, "route", "add", "default", "via", DIRECTOR[family]);
  }
});
afterEach(() => {
  try {
    inServer(() => stop(undefined));
  } finally {
    for (const name of [way, server]) run("ip", "netns", "del", name);
  }
});

/** All that stop must bring back: addresses, routes, qdiscs, filters and every sysctl of IPv4 and IPv6. */
function snapshot() {
  const ipOf = (...words: string[]) => run("ip", "-n", server, ...words);
  const tc = (...words: string[]) => run("tc", "-n", server, ...words);
  const sysctls = inServer(() =>
    ["ipv4", "ipv6"].flatMap((family) =>
      readdirSync(`/proc/sys/net/${family}/conf`).flatMap((link) =>
        readdirSync(`/proc/sys/net/${family}/conf/${link}`).map((name) => {
          const path = `/proc/sys/net/${family}/conf/${link}/${name}`;
          try {
            return `${path}=${readFileSync(path, "utf8")}`;
          } catch {
            return path; // stable_secret, until it is set
          }
        }),
      ),
    ),
  );
  const routes = ["-4", "-6"].map((version) => ipOf(version, "route", "show", "table", "all"));
  return {
    address: ipOf("address"),
    routes,
    qdiscs: tc("qdisc"),
    filters: tc("filter", "show", "dev", "r0", "ingress"),
    sysctls,
  };
}

const sysctl = (name: string, value?: string): string =>
  inServer(() => run("sysctl", "-n", ...(value === undefined ? [name] : ["-w", `${name}=${value}`])).trim());
const begin = (wish: Partial<Start> & Pick<Start, "vips" | "method">) => inServer(() => start({ hook: "auto", ...wish }));
const finish = (...vips: Ip[]) => inServer(() => stop(vips.length === 0 ? undefined : vips));
const look = () => inServer(status);

function sendFrame(frame: Uint8Array): void {
  const fd = openPacketSocket(interfaceIndex("w0", netnsPath(way))!, { namespace: netnsPath(way), protocol: 0 });
  try {
    send(fd, frame);
  } finally {
    closeFd(fd);
  }
}

const outer = (family: Family, tos = 0): Frame => {
  const frame = eth(MAC.way, MAC.server);
  return family === "ipv4"
    ? frame.ipv4(DIRECTOR.ipv4, RIP.ipv4, { tos })
    : frame.ipv6(DIRECTOR.ipv6, RIP.ipv6, { trafficClass: tos });
};
const towards = (frame: Frame, vip: Ip): Frame =>
  familyOf(vip) === "ipv4" ? frame.ipv4(CLIENT.ipv4, vip) : frame.ipv6(CLIENT.ipv6, vip);

const tunnels: Record<string, (frame: Frame) => Frame> = {
  ipip: (frame) => frame,
  gre: (frame) => frame.gre({ checksum: true }),
  gue: (frame) => frame.udp(40001, 6080).gue(),
};

/** What a UDP server on the VIP gets of these frames, and from whom. */
function received(vip: Ip, frame: Uint8Array): string | undefined {
  const fd = openSocket(familyOf(vip) === "ipv4" ? AF_INET : AF_INET6, SOCK_DGRAM, 0, netnsPath(server));
  try {
    bindSocket(fd, ipAddress(vip, 5353));
    setReceiveTimeout(fd, 300);
    sendFrame(frame);
    const into = new Uint8Array(2048);
    const got = receiveFrom(fd, into, { wait: true });
    if (got?.from.family !== "ip") return undefined;
    return `${got.from.ip} ${new TextDecoder().decode(into.subarray(0, got.length))}`;
  } finally {
    closeFd(fd);
  }
}

describe("a tunnel's real server", () => {
  for (const hook of ["tc", "xdp"] as const satisfies readonly Hook[])
    test(`takes every kind of tunnel in and around both families (${hook})`, () => {
      begin({ vips: [VIP4, VIP6], method: "tunnel", hook });
      expect(look().attachments).toMatchObject([{ interface: "r0", hook, present: true }]);
      for (const [name, tunnel] of Object.entries(tunnels))
        for (const family of ["ipv4", "ipv6"] as const)
          for (const vip of [VIP4, VIP6]) {
            const text = `${name} ${family} ${vip}`;
            const frame = towards(tunnel(outer(family)), vip)
              .udp(4000, 5353, { payload: text })
              .bytes();
            expect(received(vip, frame)).toBe(`${CLIENT[familyOf(vip)]} ${text}`);
          }
      expect(look().exits).toMatchObject({ ipip: 4, gre: 4, gue: 4, failed: 0 });
      expect(look().problems).toEqual([]);
    });

  test("takes no tunnel for a VIP that it has not, or after stop", () => {
    begin({ vips: [VIP4, VIP4B], method: "tunnel" });
    finish(VIP4B);
    run("ip", "-n", server, "address", "add", `${VIP4B}/32`, "dev", "lo");
    const frame = (vip: Ip) => towards(outer("ipv4"), vip).udp(4000, 5353, { payload: "x" }).bytes();
    expect(received(VIP4B, frame(VIP4B))).toBeUndefined();
    expect(look().exits).toMatchObject({ "not-a-vip": 1 });
    expect(received(VIP4, frame(VIP4))).toBeDefined();
    finish(VIP4);
    run("ip", "-n", server, "address", "add", `${VIP4}/32`, "dev", "lo");
    expect(received(VIP4, frame(VIP4))).toBeUndefined();
  });

  test("takes GUE on the port that it was told", () => {
    begin({ vips: [VIP4], method: "tunnel", guePort: 7777 });
    const frame = (port: number) => towards(outer("ipv4").udp(40001, port).gue(), VIP4).udp(4000, 5353, { payload: "x" }).bytes();
    expect(received(VIP4, frame(6080))).toBeUndefined();
    expect(received(VIP4, frame(7777))).toBeDefined();
  });

  test("answers a client's SYN from the VIP, past a strict reverse path filter", () => {
    sysctl("net.ipv4.conf.all.rp_filter", "1");
    run("ip", "-n", server, "link", "add", "other", "type", "veth", "peer", "name", "other-end");
    run("ip", "-n", server, "address", "add", "10.98.0.1/24", "dev", "other");
    for (const link of ["other", "other-end"]) run("ip", "-n", server, "link", "set", link, "up");
    const syn = towards(outer("ipv4"), VIP4).tcp(40000, 80, "S").bytes();
    run("ip", "-n", server, "route", "replace", `${CLIENT.ipv4}/32`, "dev", "other"); // the way back is another one
    begin({ vips: [VIP4], method: "tunnel", interface: "r0" });
    expect(sysctl("net.ipv4.conf.r0.rp_filter")).toBe("2");
    const listener = openSocket(AF_INET, SOCK_STREAM, 0, netnsPath(server));
    try {
      bindSocket(listener, ipAddress(VIP4, 80));
      listenSocket(listener, 1);
      sendFrame(syn);
      expect(inServer(() => run("ss", "-Htan", "state", "syn-recv"))).toContain(`${VIP4}:80`);
    } finally {
      closeFd(listener);
    }
  });
});

describe("start and stop", () => {
  test("leave everything as it was", () => {
    sysctl("net.ipv4.conf.all.arp_announce", "1");
    run("ip", "-n", server, "address", "add", `${VIP4B}/32`, "dev", "lo");
    const before = snapshot();
    begin({ vips: [VIP4], method: "route" });
    begin({ vips: [VIP4], method: "route" });
    begin({ vips: [VIP4B, VIP6], method: "tunnel" });
    expect([sysctl("net.ipv4.conf.all.arp_ignore"), sysctl("net.ipv4.conf.all.arp_announce")]).toEqual(["1", "2"]);
    expect(run("ip", "-n", server, "address", "show", "dev", "lo")).toContain(`inet ${VIP4}/32 scope global lo:lvs`);
    finish(VIP4);
    expect(sysctl("net.ipv4.conf.all.arp_ignore")).toBe("1");
    expect(look().vips.map(({ vip, present }) => [vip, present])).toEqual([[VIP4B, true], [VIP6, true]]); // biome-ignore format: rows
    finish(VIP6, VIP4B);
    expect(snapshot()).toEqual(before);
    const inode = inServer(() => netnsInode());
    expect([existsSync(`/run/lvsd/realserver-${inode}.json`), existsSync(`/run/lvsd/bpf/realserver-${inode}`)]).toEqual([
      false,
      false,
    ]);
  });

  const addFilter = () =>
    run("tc", "-n", server, "filter", "add", "dev", "r0", "ingress", "pref", "9", "bpf", "da", "obj", objectPath(), "sec", "tc");

  test("leave a clsact qdisc and its filters that were there before", () => {
    run("tc", "-n", server, "qdisc", "add", "dev", "r0", "clsact");
    addFilter();
    const before = snapshot();
    begin({ vips: [VIP4], method: "tunnel", hook: "tc" });
    finish();
    expect(snapshot()).toEqual(before);
  });

  test("leave the filter that somebody has added since", () => {
    begin({ vips: [VIP4], method: "tunnel", hook: "tc" });
    addFilter();
    finish();
    expect(snapshot().filters).toMatch(/^filter protocol all pref 9 bpf/);
    expect(snapshot().filters).not.toContain("pref 1 ");
  });

  test("a start that fails half way leaves everything as it was", () => {
    const before = snapshot();
    run("ip", "-n", server, "link", "add", "odd0", "type", "veth", "peer", "name", "odd1");
    run("ip", "-n", server, "link", "del", "odd0");
    expect(() => begin({ vips: [VIP4], method: "tunnel", interface: "odd0" })).toThrow("there is no interface odd0");
    expect(() => begin({ vips: [VIP4], method: "tunnel", interface: "lo" })).toThrow("not an Ethernet interface");
    expect(snapshot()).toEqual(before);
    expect(look()).toMatchObject({ vips: [], attachments: [], problems: [] });
  });

  for (const hook of ["tc", "xdp"] as const) {
    test(`stop knows what to do when the interface is gone (${hook})`, () => {
      begin({ vips: [VIP4], method: "tunnel", hook });
      run("ip", "-n", server, "link", "del", "r0");
      expect(look().problems.join()).toContain("r0 has no decapsulation program");
      finish();
      expect(sysctl("net.ipv4.conf.all.arp_ignore")).toBe("0");
    });

    test(`start again brings the program to an interface that has been made anew (${hook})`, () => {
      begin({ vips: [VIP4], method: "tunnel", hook });
      run("ip", "-n", server, "link", "del", "r0");
      run("ip", "-n", server, "link", "add", "r0", "type", "veth", "peer", "name", "end");
      begin({ vips: [VIP4], method: "tunnel", interface: "r0", hook });
      expect(look()).toMatchObject({ attachments: [{ interface: "r0", present: true }], problems: [] });
    });
  }

  test("a start with another hook moves the program there", () => {
    const before = snapshot();
    begin({ vips: [VIP4], method: "tunnel", hook: "tc" });
    begin({ vips: [VIP4], method: "tunnel", hook: "xdp" });
    expect(look().attachments).toMatchObject([{ hook: "xdp", present: true }]);
    expect(snapshot().filters).toBe(before.filters);
    begin({ vips: [VIP4B], method: "tunnel" });
    expect(look().attachments).toMatchObject([{ hook: "xdp", present: true }]);
    finish();
    expect(snapshot()).toEqual(before);
  });

  test("a VIP that another interface has stays there, and status says what that means", () => {
    const before = snapshot();
    begin({ vips: [ip(RIP.ipv4)], method: "route" });
    expect(look().problems).toEqual(["r0 has 10.99.0.11 too: this server answers for it on that link"]);
    finish();
    expect(snapshot()).toEqual(before);
  });

  test("a VIP that was not started is not stopped", () => {
    begin({ vips: [VIP4], method: "route" });
    expect(() => finish(VIP4B)).toThrow("10.99.0.101 is no VIP");
  });
});

describe("the command", () => {
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(resolve("build/test-lvsctl-")); // inside the repository, so that koffi is found
    await build({
      entryPoints: [fileURLToPath(new URL("../daemon/entry/lvsctl.ts", import.meta.url))],
      outfile: join(folder, "lvsctl.mjs"),
      bundle: true,
      platform: "node",
      format: "esm",
      external: ["koffi"],
      banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
      logLevel: "silent",
    });
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const lvsctl = (...words: string[]) => [process.execPath, join(folder, "lvsctl.mjs"), "realserver", ...words];

  test("works the same by ip netns exec and by nsenter --net", () => {
    const before = snapshot();
    const byNetns = ["ip", "netns", "exec", server];
    const byNsenter = ["nsenter", `--net=${netnsPath(server)}`];
    run(...byNetns, ...lvsctl("start", "--vip", VIP4, VIP6, "--method", "tunnel"));
    for (const way of [byNetns, byNsenter]) {
      const report = JSON.parse(run(...way, ...lvsctl("status", "--json")));
      expect(report).toMatchObject({ problems: [], attachments: [{ present: true }] });
    }
    run(...byNsenter, ...lvsctl("start", "--vip", VIP4B, "--method", "route"));
    run(...byNetns, ...lvsctl("stop", "--vip", VIP4));
    expect(run(...byNsenter, ...lvsctl("stop"))).toBe("no VIPs: this host is no real server\n");
    expect(snapshot()).toEqual(before);
  });

  test("waits for others of its kind, so that VIPs started at once are all there", async () => {
    const vips = [VIP4, VIP4B, VIP6];
    const started = vips.map((vip) =>
      promisify(execFile)("ip", ["netns", "exec", server, ...lvsctl("start", "--vip", vip, "--method", "route")]),
    );
    await Promise.all(started);
    expect(look()).toMatchObject({ problems: [] });
    expect(
      look()
        .vips.map(({ vip }) => vip)
        .toSorted(),
    ).toEqual(vips.toSorted());
  });

  test("says so where /proc/sys is read-only, and leaves everything as it was", () => {
    const before = snapshot();
    const readOnly = ["unshare", "--mount", "sh", "-c", 'mount -o bind,ro /proc/sys /proc/sys && exec "$@"', "sh"];
    const ran = spawnSync("ip", ["netns", "exec", server, ...readOnly, ...lvsctl("start", "--vip", VIP4, "--method", "route")], {
      encoding: "utf8",
    });
    expect([ran.status, ran.stdout]).toEqual([1, ""]);
    expect(ran.stderr).toMatch(/^lvsctl: set sysctl net\/ipv4\/conf\/all\/arp_ignore to 1: \/proc\/sys is read-only here .*\n$/);
    expect(snapshot()).toEqual(before);
    expect(look()).toMatchObject({ vips: [], problems: [] });
  });
});

test("a real server is silent about its VIP, and status says so when it is not", () => {
  begin({ vips: [VIP4], method: "route" });
  run("ip", "-n", way, "address", "add", "10.99.0.1/24", "dev", "w0");
  const asks = (vip: Ip) => {
    try {
      return run("ip", "netns", "exec", way, "arping", "-c", "1", "-w", "1", "-I", "w0", vip).includes("reply");
    } catch {
      return false;
    }
  };
  const ask = existsSync("/usr/sbin/arping") || existsSync("/usr/bin/arping") ? asks : neighbourOf;
  expect([ask(VIP4), ask(ip(RIP.ipv4))]).toEqual([false, true]);
  sysctl("net.ipv4.conf.all.arp_ignore", "0");
  sysctl("net.ipv4.conf.lo.arp_ignore", "0");
  expect(ask(VIP4B)).toBe(false);
  expect(look().problems).toContain("arp_ignore of all is 0: this server answers ARP for the VIP");
  run("ip", "-n", way, "neighbour", "flush", "dev", "w0");
  expect(ask(VIP4)).toBe(true);
});

/** Whether the kernel's own ARP finds an address; waits for its answer at most a second. */
function neighbourOf(address: Ip): boolean {
  run("ip", "-n", way, "neighbour", "replace", address, "dev", "w0", "nud", "none", "use");
  for (let left = 20; left > 0; left--) {
    if (run("ip", "-n", way, "neighbour", "show", address).includes("lladdr")) return true;
    execFileSync("sleep", ["0.05"]);
  }
  return false;
}
