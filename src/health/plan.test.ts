import { expect, test } from "vitest";
import { type ServiceKey, serviceId } from "../director/director.ts";
import type { Change } from "../director/plan.ts";
import { untuned } from "../tuning.ts";
import { changed, changeOf } from "./change.ts";
import type { Check, HealthConfig, Server, Service } from "./config.ts";
import { type Live, planHealth } from "./plan.ts";
import { check, dest, script, server, service, sorry, spec, to } from "./testing.ts";

const config = (...services: Service[]): HealthConfig => ({
  ...{ services, tls: {}, initNotifies: false, scriptSecurity: false, tuning: untuned },
});
const dead: Live = () => undefined;
/** One line per change, as terse as can be. */
const terse = ({ what, kind, name, and = [], fields, effects }: Change): string =>
  [
    ...[what, kind, name, ...and.map((other) => `& ${other}`)],
    ...fields.map(({ field, from, to: next }) => `${field} ${from ?? ""}>${next ?? ""}`),
    ...effects.map((effect) => `! ${effect}`),
  ].join(" ");
const plan = (before: HealthConfig, after: HealthConfig, live = dead): string[] => planHealth(before, after, live).map(terse);
const weighed = (s: Server, weight: number): Server => ({ ...s, dest: { ...s.dest, weight } });
const [a, b, c] = [server(11), server(12), server(13)];
const other: Service = service({
  name: "[192.0.2.2]:tcp:80",
  specs: [{ ...spec, key: { ...spec.key, port: 81 } as ServiceKey }],
});

const cases: [what: string, before: HealthConfig, after: HealthConfig, plan: string[]][] = [
  ["nothing, where nothing differs", config(service()), config(service()), []],
  [
    "the weight of a server",
    config(service()),
    config(service({ servers: [a, weighed(b, 3), c] })),
    ["change server [10.0.0.12]:tcp:80 weight 1>3"],
  ],
  [
    "a server without weight, which gets no new connections",
    config(service()),
    config(service({ servers: [a, weighed(b, 0), c] })),
    ["change server [10.0.0.12]:tcp:80 weight 1>0 ! no new connections"],
  ],
  [
    "servers of which the same is to be said at once",
    config(service()),
    config(service({ servers: [a, b, c].map((s) => weighed(s, 2)) })),
    ["change server [10.0.0.11]:tcp:80 & [10.0.0.12]:tcp:80 & [10.0.0.13]:tcp:80 weight 1>2"],
  ],
  [
    "a service that comes, with its servers",
    config(service()),
    config(service(), { ...other, servers: [a] }),
    ["add service [192.0.2.2]:tcp:80 lb_algo >wrr", "add server [10.0.0.11]:tcp:80 lb_kind >NAT weight >1 check >TCP_CHECK"],
  ],
  ["a service that goes", config(service(), other), config(service()), ["remove service [192.0.2.2]:tcp:80 servers 3>"]],
  [
    "a server that comes and one that goes",
    config(service({ servers: [a, b] })),
    config(service({ servers: [a, c] })),
    ["add server [10.0.0.13]:tcp:80 lb_kind >NAT weight >1 check >TCP_CHECK", "remove server [10.0.0.12]:tcp:80"],
  ],
  [
    "settings of a service, each in the file's word",
    config(service()),
    config(service({ specs: [{ ...spec, scheduler: "rr", persistSeconds: 50 }], quorum: 2, quorumUp: script("/bin/up"), sorry })),
    [
      "change service [192.0.2.1]:tcp:80 lb_algo wrr>rr persistence_timeout 0>50 quorum 1>2 quorum_up gained>/bin/up sorry_server >[10.0.0.99]:tcp:80",
    ],
  ],
  [
    "an address that joins a group, once",
    config(service()),
    config(service({ specs: [spec, ...other.specs] })),
    ["change service [192.0.2.1]:tcp:80 address >192.0.2.1:81"],
  ],
  [
    "a check that keeps what it knows, and one that cannot",
    config(service({ servers: [a] })),
    config(
      service({
        servers: [
          {
            ...a,
            checks: [
              { ...check, delayLoop: 500 },
              { ...check, probe: { type: "TCP_CHECK", to: { ...to, port: 81 } } },
            ],
          },
        ],
      }),
    ),
    ["change server [10.0.0.11]:tcp:80 TCP_CHECK delay_loop 10>0.5 check >TCP_CHECK ! TCP_CHECK starts anew"],
  ],
  [
    "a check that goes elsewhere starts anew",
    config(service({ servers: [a] })),
    config(service({ servers: [{ ...a, checks: [{ ...check, probe: { type: "TCP_CHECK", to: { ...to, port: 81 } } }] }] })),
    ["change server [10.0.0.11]:tcp:80 TCP_CHECK connect_port 80>81 ! TCP_CHECK starts anew"],
  ],
  [
    "what is for all of them",
    config(service()),
    { ...config(service()), initNotifies: true },
    ["change global rs_init_notifies rs_init_notifies off>on"],
  ],
];
for (const [what, before, after, expected] of cases) {
  test(`a plan tells ${what}`, () => expect(plan(before, after)).toEqual(expected));
  test(`over a pipe goes what differs: ${what}`, () => {
    const change = changeOf(before, after);
    expect(changed(before, change)).toEqual(after);
    expect(change.services.every((one) => !before.services.includes(one))).toBe(true);
  });
}

test("a MISC_CHECK whose server gets another weight goes on", () => {
  const misc = (weight: number): Check => ({
    ...{ ...check, type: "MISC_CHECK" },
    probe: { type: "MISC_CHECK", script: script("/bin/c"), timeout: 1000, dynamic: false, weight },
  });
  const before = config(service({ servers: [{ ...a, checks: [misc(1)] }] }));
  const after = config(service({ servers: [{ ...weighed(a, 2), checks: [misc(2)] }] }));
  expect(plan(before, after)).toEqual(["change server [10.0.0.11]:tcp:80 weight 1>2"]);
});

test("a plan counts the connections that it touches: those of a server, or of all that the service has", () => {
  const dests = [11, 12, 99].map((last, i) => ({
    ...{ ...dest(`10.0.0.${last}`), activeConns: 10 ** i, inactiveConns: 2 * 10 ** i, persistConns: 0 },
    ...{ counters: { conns: 0, inPackets: 0, outPackets: 0, inBytes: 0, outBytes: 0 } },
    rates: { cps: 0, inPps: 0, outPps: 0, inBps: 0, outBps: 0 },
  }));
  const live: Live = (key) => (serviceId(key) === serviceId(spec.key) ? { dests } : undefined);
  const conns = (before: HealthConfig, after: HealthConfig) => planHealth(before, after, live).map((change) => change.conns);
  const one = config(service({ servers: [a, weighed(b, 2), c] }));
  expect(conns(config(service()), one)).toEqual([{ active: 10, inactive: 20, persistent: 0 }]);
  expect(conns(config(service()), config())).toEqual([{ active: 111, inactive: 222, persistent: 0 }]);
  const both = config(service({ servers: [weighed(a, 2), weighed(b, 2), c] }));
  expect(conns(config(service()), both)).toEqual([{ active: 11, inactive: 22, persistent: 0 }]);
  expect(planHealth(config(service()), config(), live)[0]!.effects).toEqual(["their packets are dropped from then on"]);
});
