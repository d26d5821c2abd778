import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { Whole } from "./testing/whole.ts";

/** lvsctl plan, apply, confirm and reload on an lvsd that runs, and what of the file outlives a `kill -9`. */

let whole: Whole;
let conf: string;
let other: string;

beforeAll(async () => {
  whole = await Whole.make("plan");
  conf = join(whole.folder, "keepalived.conf");
  other = join(whole.folder, "other.conf");
});
afterAll(() => whole.remove());
beforeEach(() => whole.up());
afterEach(() => whole.down());

const until = (what: () => void): Promise<void> => vi.waitFor(what, { timeout: 20_000, interval: 150 });

/** Without checks: nothing but the file has a say in the table. */
const service = (address: string, servers: Readonly<Record<string, number>>): string => `virtual_server ${address} 80 {
  protocol TCP
  lb_algo wrr
  lb_kind NAT
${Object.entries(servers)
  .map(([ip, weight]) => `  real_server ${ip} 8080 {\n    weight ${weight}\n  }\n`)
  .join("")}}
`;
const router = (priority: number, address: string): string => `vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  version 3
  advert_int 0.1
  priority ${priority}
  virtual_ipaddress {
    ${address}
  }
}
`;
const A = "10.9.0.100";
const B = "10.9.0.101";
const FIRST = router(100, "10.9.0.50") + service(A, { "10.9.0.11": 1, "10.9.0.12": 2 });
const FIRST_TABLE = { "10.9.0.100:80": { "10.9.0.11:8080": 1, "10.9.0.12:8080": 2 } };
const SECOND = router(150, "10.9.0.51") + service(A, { "10.9.0.11": 5 }) + service(B, { "10.9.0.13": 1 });
const SECOND_TABLE = { "10.9.0.100:80": { "10.9.0.11:8080": 5 }, "10.9.0.101:80": { "10.9.0.13:8080": 1 } };
const HAND = { "10.9.0.200:80": { "10.9.0.11:80": 1 } };
const byHand = (): void => {
  whole.ipvsadm("-A", "-t", "10.9.0.200:80", "-s", "rr");
  whole.ipvsadm("-a", "-t", "10.9.0.200:80", "-r", "10.9.0.11:80", "-m");
};
const hasVip = (ip: string): boolean => whole.ip("-o address").includes(`${ip}/`);

test("a plan shows what an apply does; unless it is confirmed it is taken back, and nothing else comes between", async () => {
  writeFileSync(conf, FIRST);
  writeFileSync(other, SECOND);
  const { log } = whole.lvsd(conf);
  await until(() => expect([whole.table(), hasVip("10.9.0.50")], log()).toEqual([FIRST_TABLE, true]));

  expect(whole.lvsctl("plan")).toEqual({ status: 0, stdout: "nothing to change\n", stderr: "" });
  const plan = whole.lvsctl("plan", "-f", other, "--detailed-exitcode");
  expect([plan.status, plan.stderr]).toEqual([2, ""]);
  expect(plan.stdout.split("\n")).toEqual([
    "~ vrrp_instance VI_1: priority 100 -> 150, -virtual_ipaddress 10.9.0.50/32, +virtual_ipaddress 10.9.0.51/32; MASTER stays MASTER; its peers need the same virtual_ipaddress",
    "~ real_server [10.9.0.11]:tcp:8080 of [10.9.0.100]:tcp:80: weight 1 -> 5 (no conns)",
    "- real_server [10.9.0.12]:tcp:8080 of [10.9.0.100]:tcp:80 (no conns)",
    "+ virtual_server [10.9.0.101]:tcp:80: lb_algo wrr",
    "+ real_server [10.9.0.13]:tcp:8080 of [10.9.0.101]:tcp:80: lb_kind NAT, weight 1",
    "",
  ]);
  expect(whole.table()).toEqual(FIRST_TABLE);

  const applied = whole.lvsctl("apply", "-f", other, "--confirm", "6s");
  expect([applied.status, whole.table(), hasVip("10.9.0.51"), hasVip("10.9.0.50")], applied.stderr).toEqual([
    ...[0, SECOND_TABLE, true, false],
  ]);
  expect(applied.stdout).toContain(`that ${other} was applied is not remembered`);
  const second = whole.lvsctl("apply");
  expect([second.status, second.stderr]).toEqual([1, expect.stringContaining(`an apply of ${other} waits`)]);
  expect(whole.lvsctl("status").stdout).toContain(`${other} is applied until confirmed`);
  await until(() => expect([whole.table(), hasVip("10.9.0.50"), hasVip("10.9.0.51")]).toEqual([FIRST_TABLE, true, false]));
  await until(() => expect(log()).toContain("taken back"));
  expect(log().match(/word=(BACKUP|FAULT)/g)).toHaveLength(1); // at the start; from then on MASTER

  expect(whole.lvsctl("apply", "-f", other, "--confirm", "60s").status).toBe(0);
  expect(whole.lvsctl("confirm").status).toBe(0);
  expect([whole.table(), whole.lvsctl("confirm").status]).toEqual([SECOND_TABLE, 1]);

  writeFileSync(conf, SECOND.replace("lb_algo", "lb_allgo"));
  const refused = whole.lvsctl("reload");
  expect([refused.status, refused.stdout, whole.table()]).toEqual([1, "", SECOND_TABLE]);
  expect(refused.stderr).toContain("(did you mean 'lb_algo'?)\n    lb_allgo wrr\n    ^~~~~~~~\n");
  writeFileSync(conf, FIRST);
  const reloaded = whole.lvsctl("reload", "--json");
  expect([reloaded.status, whole.table()]).toEqual([0, FIRST_TABLE]);
  expect(JSON.parse(reloaded.stdout)).toMatchObject({ isDone: true, file: conf, operations: 4 });
});

test("an lvsd that was killed while an apply waited begins with its own file: what the other one added goes, what was made by hand stays", async () => {
  writeFileSync(conf, FIRST);
  writeFileSync(other, SECOND);
  const first = whole.lvsd(conf);
  await until(() => expect(whole.table(), first.log()).toEqual(FIRST_TABLE));
  byHand();
  expect(whole.lvsctl("apply", "-f", other, "--confirm", "60s").status).toBe(0);
  expect(whole.table()).toEqual({ ...SECOND_TABLE, ...HAND });
  first.child.kill("SIGKILL");
  await first.ended;

  writeFileSync(conf, service(A, { "10.9.0.12": 3 }));
  const { child, ended, log } = whole.lvsd(conf);
  await until(() => expect(whole.table(), log()).toEqual({ "10.9.0.100:80": { "10.9.0.12:8080": 3 }, ...HAND }));
  await until(() => expect(log()).toContain("services=1 servers=1")); // of the other file: its service, and its server in the one that stays
  child.kill("SIGTERM");
  expect(await ended).toBe(0);
});
