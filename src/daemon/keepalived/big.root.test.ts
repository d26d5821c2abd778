import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { type Lvsd, Whole } from "./testing/whole.ts";

/** One weight among 500 services with 20 checked servers each, beside a router that sends an advert every 100 ms. */

const SERVICES = 500;
const SERVERS = 20;
const ADVERT = 100; // ms
/** From the order until the director has it, ms. The machine may be shared with others. */
const SOON = 200;
const CHANGES = 5;
/** Adverts are watched for so long before the first order, ms. */
const QUIET = 3000;

let whole: Whole;
let conf: string;
let lvsd: Lvsd;

beforeAll(async () => {
  whole = await Whole.make("big");
  conf = join(whole.folder, "keepalived.conf");
});
afterAll(() => whole.remove());
beforeEach(() => {
  whole.up();
  whole.ip("route add local 10.20.0.0/16 dev lo"); // every server is this host
  const listen = `require("node:net").createServer((s) => s.on("error", () => {}).end()).listen(8000, "0.0.0.0", 4096)`;
  whole.start(process.execPath, ["-e", listen]);
});
afterEach(() => whole.down());

const server = (s: number, r: number): string => `10.20.${Math.floor(s / 2)}.${(s % 2) * 100 + r + 1}`;
const service = (s: number, weight: (r: number) => number): string => `virtual_server 10.100.${s >> 8}.${s & 255} 80 {
  delay_loop 30
  protocol TCP
  lb_algo wrr
  lb_kind NAT
${Array.from(
  { length: SERVERS },
  (_, r) => `  real_server ${server(s, r)} 8000 {
    weight ${weight(r)}
    TCP_CHECK {
      connect_timeout 10
      retry 3
      warmup 3
    }
  }
`,
).join("")}}
`;
const ROUTER = `vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  version 3
  advert_int ${ADVERT / 1000}
  virtual_ipaddress {
    10.9.0.100/32
  }
}
`;
const CHANGED = 307;
/** @param weight of one server */
const write = (weight: number): void =>
  writeFileSync(
    conf,
    ROUTER + Array.from({ length: SERVICES }, (_, s) => service(s, (r) => (s === CHANGED && r === 7 ? weight : 1))).join(""),
  );

interface Checked {
  readonly name: string;
  readonly servers: readonly { readonly checks: readonly { readonly hasRun: boolean; readonly age: number }[] }[];
}
const checks = (): Checked["servers"][number]["checks"] =>
  (JSON.parse(whole.lvsctl("checks", "--json").stdout) as Checked[]).flatMap(({ servers }) => servers.flatMap((s) => s.checks));

test("one weight among 10 000 servers is one line of a plan, one operation of the director, soon done, and disturbs nothing", async () => {
  write(1);
  const begun = performance.now();
  lvsd = whole.lvsd(conf);
  const patient = { timeout: 100_000, interval: 1000 };
  await vi.waitFor(() => expect(whole.lvsctl("vrrp").stdout, lvsd.log().slice(-2000)).toContain("MASTER"), patient);
  await vi.waitFor(() => expect(checks().filter(({ hasRun }) => hasRun)).toHaveLength(SERVICES * SERVERS), patient);
  const up = Math.round(performance.now() - begun);
  const activated = (): number => lvsd.log().match(/Activating healthchecker/g)?.length ?? 0;
  await vi.waitFor(() => expect(activated()).toBe(SERVICES * SERVERS), patient);

  // What leaves, with the kernel's times.
  const heard = whole.start("tcpdump", ["-i", "eth1", "-n", "-tt", "-l", "--immediate-mode", "proto 112"]);
  let adverts = "";
  heard.stdout!.on("data", (part) => {
    adverts += part;
  });
  await vi.waitFor(() => expect(adverts).toContain("VRRP"), patient);
  const before = checks();
  await new Promise((resolve) => setTimeout(resolve, QUIET));
  const [from, begins] = [performance.now(), Date.now()];
  const took: number[] = [];
  for (let weight = 2; weight < 2 + CHANGES; weight++) {
    write(weight);
    const name = `[${server(CHANGED, 7)}]:tcp:8000 of [10.100.1.51]:tcp:80`;
    if (weight === 2)
      expect(whole.lvsctl("plan").stdout).toBe(`~ real_server ${name}: weight ${weight - 1} -> ${weight} (no conns)\n`);
    const done = JSON.parse(whole.lvsctl("reload", "--json").stdout);
    expect(done).toMatchObject({ isDone: true, operations: 1, troubles: [], remarks: [] });
    expect(done.changes).toHaveLength(1);
    took.push(done.took);
    const line = new RegExp(`-> ${server(CHANGED, 7).replaceAll(".", "\\.")}:8000 +Masq +${weight} `);
    expect(whole.ipvsadm("-Ln", "-t", "10.100.1.51:80").stdout).toMatch(line);
  }
  const passed = performance.now() - from;
  const after = checks();

  expect(activated()).toBe(SERVICES * SERVERS); // none began again
  expect(after.map(({ age }, i) => age - before[i]!.age).filter((grown) => grown < passed - 1000)).toEqual([]);
  expect(lvsd.log()).not.toMatch(/failed after|Removing service/);

  await new Promise((resolve) => setTimeout(resolve, 500));
  const times = [...adverts.matchAll(/^(\d+\.\d+) .*prio 100/gm)].map(([, time]) => Number(time) * 1000);
  const gaps = times.slice(1).map((time, i) => ({ time, gap: time - times[i]! }));
  const longest = (some: typeof gaps): number => Math.max(...some.map(({ gap }) => gap));
  const quiet = longest(gaps.filter(({ time }) => time < begins));
  const busy = longest(gaps.filter(({ time }) => time >= begins));
  console.log(
    `${SERVICES} services with ${SERVERS} servers each, checked once ${up} ms after the start; one weight: ${took.join(", ")} ms ` +
      `from the order until the director has it; ${times.length} adverts, at most ${busy.toFixed(1)} ms apart, without orders ${quiet.toFixed(1)} ms`,
  );
  const sorted = took.toSorted((a, b) => a - b);
  expect(sorted[Math.floor(CHANGES / 2)]).toBeLessThan(SOON);
  expect(busy).toBeLessThan(Math.max(2 * ADVERT, 1.5 * quiet)); // a missing one would make a gap of two
});
