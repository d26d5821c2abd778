import { expect, test } from "vitest";
import { ip } from "../net/ip.ts";
import { untuned } from "../tuning.ts";
import type { Instance, TrackScript, VrrpConfig } from "./config.ts";
import { standardGlobals } from "./config.ts";
import { planVrrp, type Seen } from "./plan.ts";
import { instance, noNotify, noTracking } from "./testing.ts";

const config = (...instances: Instance[]): VrrpConfig => ({
  ...{
    instances,
    groups: [],
    scripts: [],
    files: [],
    processes: [],
    bfds: [],
    scriptSecurity: false,
    fifos: [],
    tuning: untuned,
    globals: standardGlobals,
  },
  statics: { addresses: [], routes: [], rules: [] },
  ...{ startupDelay: 0, garpInterval: 0, gnaInterval: 0 },
});
const master: Seen = { name: "VI_1", state: "MASTER", effectivePriority: 100 };
const backup: Seen = {
  ...{ name: "VI_1", state: "BACKUP", effectivePriority: 100 },
  master: { from: "10.0.0.2", priority: 150 },
};
const address = (text: string) => ({ ...instance.addresses[0]!, ip: ip(text) });
const track: TrackScript = {
  ...{ name: "chk", interval: 1000, timeout: 1000, rise: 1, fall: 1, initFail: false, weight: { weight: 2, reverse: false } },
  run: { command: ["/bin/true"], user: undefined, group: undefined },
};

const cases: [what: string, before: VrrpConfig, after: VrrpConfig, seen: readonly Seen[], plan: readonly string[]][] = [
  ["nothing, where nothing differs", config(instance), config({ ...instance }), [master], []],
  [
    "a lower priority of a master, and what it may lead to",
    ...([config(instance), config({ ...instance, priority: 90 }), [master]] as const),
    ["change VI_1 priority 100>90 ! MASTER stays MASTER unless a peer has more than priority 90"],
  ],
  [
    "a priority of a backup above its master's",
    ...([config(instance), config({ ...instance, priority: 200 }), [backup]] as const),
    ["change VI_1 priority 100>200 ! BACKUP becomes MASTER: 10.0.0.2, who is it, has priority 150"],
  ],
  [
    "a priority of a backup that does not preempt",
    ...([config({ ...instance, preempt: false }), config({ ...instance, preempt: false, priority: 200 }), [backup]] as const),
    ["change VI_1 priority 100>200 ! BACKUP stays BACKUP"],
  ],
  [
    "an address that comes and one that goes, of which the peers must know",
    config(instance),
    config({ ...instance, addresses: [address("10.0.0.101")] }),
    [master],
    [
      "change VI_1 virtual_ipaddress 10.0.0.100/32> virtual_ipaddress >10.0.0.101/32 ! MASTER stays MASTER ! its peers need the same virtual_ipaddress",
    ],
  ],
  [
    "a password, without showing it",
    config({ ...instance, auth: { type: "pass", password: "a" } }),
    config({ ...instance, auth: { type: "pass", password: "b" } }),
    [],
    ["change VI_1 auth_pass > ! its peers need the same auth_pass"],
  ],
  [
    "an instance that comes, which begins as a backup",
    ...([config(), config(instance), []] as const),
    ["add VI_1 interface >eth0 virtual_router_id >51 priority >100 virtual_ipaddress >10.0.0.100/32 ! it begins as BACKUP"],
  ],
  [
    "an instance that goes, and its addresses with it",
    ...([config(instance), config(), [master]] as const),
    ["remove VI_1 virtual_ipaddress 10.0.0.100/32> ! gives up MASTER: it says so with priority 0, and its addresses go"],
  ],
  [
    "an instance of another identity, which begins anew under the same name",
    ...([config(instance), config({ ...instance, vrid: 52 }), [master]] as const),
    [
      "change VI_1 virtual_router_id 51>52 ! gives up MASTER: it says so with priority 0, and its addresses go ! begins anew as another router, as BACKUP",
    ],
  ],
  [
    "another name of the same router, which stays what it is",
    ...([config(instance), config({ ...instance, name: "VI_2" }), [master]] as const),
    ["change VI_2 name VI_1>VI_2 ! MASTER stays MASTER"],
  ],
  [
    "trackers and groups by their names",
    { ...config(instance), scripts: [track] },
    {
      ...config(instance),
      scripts: [{ ...track, interval: 2000 }],
      groups: [{ name: "G1", members: ["VI_1"], track: noTracking, notify: noNotify }],
    },
    [],
    ["add G1", "change chk interval 1>2 ! its last result counts until it has run again"],
  ],
];
for (const [what, before, after, seen, expected] of cases)
  test(`a plan tells ${what}`, () => {
    const lines = planVrrp(before, after, seen).map(({ what: word, name, fields, effects }) =>
      [
        ...[word, name, ...fields.map(({ field, from, to }) => `${field} ${from ?? ""}>${to ?? ""}`)],
        ...effects.map((effect) => `! ${effect}`),
      ].join(" "),
    );
    expect(lines).toEqual(expected);
  });

test("whatever differs is told, also what has no word of its own", () => {
  const after = { ...config({ ...instance, garpReplies: true }), scriptSecurity: true };
  expect(planVrrp(config(instance), after, []).map(({ fields }) => fields)).toEqual([
    [{ field: "enable_script_security", from: "off", to: "on" }],
    [{ field: "garpReplies", from: "off", to: "on" }],
  ]);
});
