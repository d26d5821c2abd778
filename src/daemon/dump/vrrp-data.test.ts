import { expect, test } from "vitest";
import { ip } from "../../net/ip.ts";
import { vrrpJson } from "./json.ts";
import { vrrpStats } from "./stats.ts";
import { factsOf } from "./testing/facts.ts";
import { vrrpData } from "./vrrp-data.ts";
import { moment } from "./words.ts";

/** Lines that need a peer; the rest is held against keepalived itself in dump.root.test.ts. */

const conf = (more = ""): string => `
${more}
vrrp_instance F {
  interface eth0
  virtual_router_id 56
  version 3
  advert_int 0.25
  priority 50
  virtual_ipaddress {
    10.9.0.156
  }
}
`;
const follower = factsOf(conf(), (unit) => {
  const master = { from: ip("10.9.0.2"), priority: 200 };
  unit.state = { name: "backup", master, masterInterval: 400, masterDownAt: 1500, preemptAt: undefined, asking: false };
});
const block = (text: string): string[] => {
  const lines = text.split("\n");
  return lines.slice(lines.indexOf(" VRRP Instance = F"));
};

test("a backup tells whom it follows, and by which interval", () => {
  const lines = block(vrrpData(follower));
  expect(lines.slice(1, 7)).toEqual([
    "   VRRP Version = 3",
    "   State = BACKUP",
    "   Master router = 10.9.0.2",
    "   Master priority = 200",
    "   Master advert int = 0.40 sec",
    "   Flags: none",
  ]);
  const at = lines.indexOf("   Advert interval = 250 milli-sec");
  expect(lines.slice(at, at + 3)).toEqual([
    "   Advert interval = 250 milli-sec",
    "   Master advert interval = 400 milli-sec",
    "   Accept = enabled",
  ]);
  expect(lines).toContain("   Master down timer = 1521875 usecs"); // as keepalived has it for the same numbers
  expect(lines).toContain(`   Read timeout = ${moment(1_800_000_001_500)}`);
  const [instance] = JSON.parse(vrrpJson(follower)) as [{ data: Record<string, unknown> }];
  expect(instance.data).toMatchObject({ master_priority: 200, master_adver_int: 0.4, adver_int: 0.25, state: 1 });
});

test("what refused adverts were refused for is counted in keepalived's classes, and they are not among those received", () => {
  const facts = factsOf(conf(), ({ counters }) => {
    const { refused } = counters;
    counters.advertsReceived = 200;
    for (const [field, n] of [
      ...[["length", 1] as const, ["ttl", 2] as const, ["type", 3] as const, ["interval", 4] as const, ["vip-list", 5] as const],
      ...[["auth-unknown", 6] as const, ["auth-type", 7] as const, ["auth-data", 8] as const, ["sequence", 1] as const],
      ["checksum", 99] as const,
    ])
      refused.set(field, n);
  });
  expect(vrrpStats(facts.status.instances)).toContain("    Received: 69\n"); // 200, and those with another address list among them
  const numbers = vrrpStats(facts.status.instances)
    .split("\n")
    .slice(7, 17)
    .map((line) => line.trim());
  expect(numbers).toEqual([
    ...["Length: 1", "TTL: 2", "Invalid Type: 3", "Advertisement Interval: 4", "Address List: 5"],
    ...["Authentication Errors:", "Invalid Type: 6", "Type Mismatch: 7", "Failure: 9", "Priority Zero:"],
  ]);
});

test("json_version 2 has instances and processes side by side", () => {
  const text = vrrpJson(factsOf(conf("global_defs {\n  json_version 2\n}\nvrrp_track_process p {\n  process x\n}\n")));
  expect(JSON.parse(text)).toMatchObject({ vrrp: [{ data: { iname: "F" } }], track_process: [{ name: "p" }] });
});

test("a file without instances has no topology", () => {
  expect(vrrpData(factsOf(""))).not.toContain("VRRP Topology");
  expect(vrrpStats(factsOf("").status.instances)).toBe("");
  expect(vrrpJson(factsOf(""))).toBe("[]");
});
