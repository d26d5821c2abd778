import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Result } from "../../health/checker.ts";
import { type Nginx, startNginx } from "./testing/nginx.ts";
import { type Bundle, bundle } from "./testing/program.ts";

/**
 * What the network sees of a check's options: marks that rules route by, interfaces, link-local addresses, echo requests.
 *
 *   here 10.8.0.1 fd08::1 ──e0── 10.8.0.2 fd08::2 there
 *        10.8.1.1         ──e1── 10.8.1.2
 */

const here = `lvsdho${process.pid}a`;
const there = `lvsdho${process.pid}b`;
const children: ChildProcess[] = [];
let nginx: Nginx | undefined;
let tries: Bundle;
let linkLocal: string;

const ip = (name: string, line: string): string => execFileSync("ip", ["-n", name, ...line.split(" ")], { encoding: "utf8" });
const inside = (name: string, ...words: string[]): string[] => [`--net=/run/netns/${name}`, ...words];
const write = (name: string, setting: string, value: string): void =>
  void execFileSync("nsenter", inside(name, "sh", "-c", `echo "${value}" > /proc/sys/net/${setting}`));

/** A mail server, a name server and one that answers anything. */
const SERVERS = `
require("node:net").createServer((s) => { s.on("error", () => {}).write("220 here\\r\\n"); s.on("data", () => s.write("250 ok\\r\\n")); }).listen(25, "::");
const udp = (port, answer) => { const s = require("node:dgram").createSocket("udp6");
  s.on("message", (b, from) => s.send(answer(b), from.port, from.address)); s.bind(port, "::"); };
udp(53, (q) => Buffer.concat([q.subarray(0, 2), Buffer.from([0x81, 0x80]), q.subarray(4)]));
udp(54, () => "good");`;

beforeAll(async () => {
  for (const name of [here, there]) {
    execFileSync("ip", ["netns", "add", name]);
    ip(name, "link set lo up");
    write(name, "ipv6/conf/default/accept_dad", "0");
    write(name, "ipv4/conf/all/arp_ignore", "1"); // a link's addresses are to be had on it only
  }
  for (const [i, link] of ["e0", "e1"].entries()) {
    ip(here, `link add ${link} type veth peer name ${link} netns ${there}`);
    for (const [name, last] of [
      [here, 1],
      [there, 2],
    ] as const) {
      ip(name, `address add 10.8.${i}.${last}/24 dev ${link}`);
      if (i === 0) ip(name, `address add fd08::${last}/64 dev ${link} nodad`);
      ip(name, `link set ${link} up`);
    }
  }
  for (const family of ["-4", "-6"]) {
    ip(here, `${family} route add unreachable default table 100`);
    ip(here, `${family} rule add fwmark 7 table 100 priority 50`);
  }
  linkLocal = /inet6 (fe80::[0-9a-f:]+)/.exec(ip(there, "address show dev e1"))![1]!;
  nginx = await startNginx("server { listen [::]:80 ipv6only=off; return 200 hello; }", undefined, ["nsenter", ...inside(there)]);
  children.push(spawn("nsenter", inside(there, process.execPath, "-e", SERVERS), { stdio: "ignore" }));
  tries = await bundle(`import { main } from "./testing/tries.ts"; void main(process.argv.slice(2));`);
});
afterAll(async () => {
  await nginx?.stop();
  for (const child of children) child.kill("SIGKILL");
  for (const name of [here, there]) execFileSync("ip", ["netns", "del", name]);
  tries?.remove();
});

const KINDS = {
  TCP_CHECK: "connect_port 80",
  HTTP_GET: "connect_port 80; url {; path /; }",
  SMTP_CHECK: "connect_port 25",
  DNS_CHECK: "connect_port 53",
  UDP_CHECK: "connect_port 54; require_reply 676f6f64",
  PING_CHECK: "",
} as const;
type Kind = keyof typeof KINDS;
const kinds = Object.keys(KINDS) as Kind[];

/** The result of each kind of check with these words: "ok", or why not. */
async function results(words: string, address = "10.8.0.2"): Promise<Record<Kind, string>> {
  const check = (kind: Kind): string => `${kind} {; connect_timeout 0.5; ${KINDS[kind]}; ${words}; }`;
  const vip = address.includes(":") ? "fd00::1" : "192.0.2.1";
  const text = `virtual_server ${vip} 80 {; protocol TCP; lb_algo rr; lb_kind NAT; real_server ${address} 80 {; ${kinds.map(check).join(";")}; }; }`;
  const { stdout } = await promisify(execFile)(
    "nsenter",
    inside(here, process.execPath, tries.program, text.replaceAll(/; ?/g, "\n")),
  );
  const said = (JSON.parse(stdout) as { results: Result[] }).results.map((r) =>
    r.type === "ok" ? "ok" : `${r.type}: ${r.reason}`,
  );
  // the order in which a real server's checks are read
  const order: Kind[] = ["TCP_CHECK", "HTTP_GET", "SMTP_CHECK", "DNS_CHECK", "UDP_CHECK", "PING_CHECK"];
  return Object.fromEntries(order.map((kind, i) => [kind, said[i] ?? "none"])) as Record<Kind, string>;
}
const all = (result: unknown): Record<Kind, unknown> =>
  Object.fromEntries(kinds.map((kind) => [kind, result])) as Record<Kind, unknown>;

/** Each of these, all at once. */
const expectEach = (...wanted: [words: string, address: string, result: unknown][]): Promise<unknown> =>
  Promise.all(wanted.map(async ([words, address, result]) => expect(await results(words, address), words).toEqual(all(result))));

describe("checks of every kind over the network", () => {
  const [V4, V6] = ["10.8.0.2", "fd08::2"] as const;
  const failed = expect.stringMatching(/^failed: /);
  const unreachable = expect.stringMatching(/^failed: (no route to host|network unreachable)$/);

  test("are good over IPv4 and IPv6, echo requests by a raw socket where ping_group_range has not us", async () => {
    write(here, "ipv4/ping_group_range", "1 0");
    await expectEach(["", V4, "ok"], ["", V6, "ok"]);
  });

  test("and by a datagram socket where it has", async () => {
    write(here, "ipv4/ping_group_range", "0 2147483647");
    await expectEach(["", V4, "ok"], ["", V6, "ok"]);
  });

  test("go where their mark is routed", () =>
    expectEach(["fwmark 8", V4, "ok"], ["fwmark 7", V4, unreachable], ["fwmark 7", V6, unreachable]));

  test("go by the interface that bind_if names, to link-local addresses too", () =>
    expectEach(
      ["bind_if e0", V4, "ok"],
      ["bind_if e1", V4, failed],
      [`bind_if e1; connect_ip ${linkLocal}`, V6, "ok"],
      [`bind_if e0; connect_ip ${linkLocal}`, V6, failed],
    ));

  test("come from the address that bindto names; one that is not here says nothing of the server", async () => {
    ip(here, "address add 10.8.0.3/24 dev e0");
    await expectEach(
      ["bindto 10.8.0.3", V4, "ok"],
      ["bindto 192.0.2.77", V4, expect.stringMatching(/^unknown: .*EADDRNOTAVAIL/)],
    );
    ip(there, "route add unreachable 10.8.0.3/32");
    await expectEach(["bindto 10.8.0.3", V4, failed]);
  });

  test("have their time when nobody answers", async () => {
    const begun = Date.now();
    await expectEach(["", "10.8.0.99", "failed: timeout"]);
    expect(Date.now() - begun).toBeGreaterThanOrEqual(500);
    expect(Date.now() - begun).toBeLessThan(3000);
  });
});
