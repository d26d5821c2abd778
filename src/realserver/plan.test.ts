import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Ip, ip } from "../net/ip.ts";
import { exits } from "./exits.ts";
import { type Actual, after, type Desired, noState, plan, type State, type Step, withoutVips, withVips } from "./plan.ts";
import type { Vip } from "./rules.ts";

const one = ip("10.0.0.100");
const two = ip("10.0.0.101");
const six = ip("fd00::100");
const route = (vip: Ip): Vip => ({ vip, method: "route" });
const tunnel = (vip: Ip, link = "eth0"): Vip => ({ vip, method: "tunnel", interface: link });
const ipv4 = (link: string, name: string) => `net/ipv4/conf/${link}/${name}`;

/** A host as a plan changes it. */
interface Host {
  readonly addresses: readonly Ip[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly attached: readonly string[];
}

const plain: Host = {
  addresses: [],
  sysctls: {
    ...Object.fromEntries(["all", "lo"].flatMap((link) => [[ipv4(link, "arp_ignore"), "0"], [ipv4(link, "arp_announce"), "0"]])),
    ...Object.fromEntries(["all", "eth0", "eth1"].map((link) => [ipv4(link, "rp_filter"), "0"])),
  },
  attached: [],
}; // biome-ignore format: rows
const withSysctls = (host: Host, some: Record<string, string>): Host => ({ ...host, sysctls: { ...host.sysctls, ...some } });

const seen = (host: Host): Actual => ({ ...host, addresses: new Set(host.addresses), attached: new Set(host.attached) });

function done(host: Host, step: Step): Host {
  switch (step.step) {
    case "set-sysctl":
    case "restore-sysctl":
      return withSysctls(host, { [step.key]: step.value });
    case "add-address":
      return { ...host, addresses: [...host.addresses, step.vip] };
    case "delete-address":
      return { ...host, addresses: host.addresses.filter((address) => address !== step.vip) };
    case "attach":
      return { ...host, attached: [...host.attached, step.interface] };
    case "detach":
      return { ...host, attached: host.attached.filter((name) => name !== step.interface) };
    case "tell-program":
      return host;
  }
}

interface World {
  readonly host: Host;
  readonly state: State;
}

function become({ host, state }: World, desired: Desired): World {
  for (const step of plan(state, seen(host), desired)) {
    host = done(host, step);
    const made = { ifindex: 2, hook: "tc", ownsClsact: true } as const;
    state = after(state, step, step.step === "attach" ? { interface: step.interface, ...made } : undefined);
  }
  return { host, state: { ...state, vips: desired.vips, guePort: desired.guePort } };
}

const words = (steps: readonly Step[]) =>
  steps.map((s) =>
    [s.step, "key" in s ? `${s.key}=${s.value}` : "vip" in s ? s.vip : "interface" in s ? s.interface : ""].join(" ").trim(),
  );

test("a VIP comes to lo when the host is silent about it and takes headers off", () => {
  expect(words(plan(noState, seen(plain), withVips(noState, [tunnel(one)])))).toEqual([
    "set-sysctl net/ipv4/conf/all/arp_ignore=1",
    "set-sysctl net/ipv4/conf/all/arp_announce=2",
    "set-sysctl net/ipv4/conf/lo/arp_ignore=1",
    "set-sysctl net/ipv4/conf/lo/arp_announce=2",
    "attach eth0",
    "tell-program",
    "add-address 10.0.0.100",
  ]);
});

test("the way back is the other way round: the address goes before the silence", () => {
  const { host, state } = become({ host: plain, state: noState }, withVips(noState, [tunnel(one)]));
  expect(words(plan(state, seen(host), withoutVips(state, new Set([one]))))).toEqual([
    "delete-address 10.0.0.100",
    "detach eth0",
    "restore-sysctl net/ipv4/conf/all/arp_ignore=0",
    "restore-sysctl net/ipv4/conf/all/arp_announce=0",
    "restore-sysctl net/ipv4/conf/lo/arp_ignore=0",
    "restore-sysctl net/ipv4/conf/lo/arp_announce=0",
  ]);
});

test("what was there before start stays at stop", () => {
  const before = withSysctls(
    { ...plain, addresses: [one] },
    { [ipv4("all", "arp_ignore")]: "2", [ipv4("lo", "arp_announce")]: "2" },
  );
  const started = become({ host: before, state: noState }, withVips(noState, [route(one)]));
  expect(started.host.sysctls[ipv4("all", "arp_ignore")]).toBe("2");
  expect(become(started, withoutVips(started.state, new Set([one]))).host).toEqual(before);
});

test("a second start does nothing to the host, and what it found is not taken for what was before", () => {
  const first = become({ host: plain, state: noState }, withVips(noState, [route(one)]));
  expect(plan(first.state, seen(first.host), withVips(first.state, [route(one)]))).toEqual([]);
  const second = become(first, withVips(first.state, [route(one), route(two)]));
  expect(second.state.former).toEqual(first.state.former);
});

test("a sysctl that somebody has changed since is set again, and what was before start is still what stop restores", () => {
  const first = become({ host: plain, state: noState }, withVips(noState, [route(one)]));
  const meddled = { ...first, host: withSysctls(first.host, { [ipv4("all", "arp_ignore")]: "3" }) };
  const again = become(meddled, withVips(meddled.state, [route(one)]));
  expect(again.host.sysctls[ipv4("all", "arp_ignore")]).toBe("1");
  expect(again.state.former[ipv4("all", "arp_ignore")]).toBe("0");
});

const filters: [all: string, link: string, becomes: string][] = [
  ["0", "0", "0"],
  ["0", "1", "2"],
  ["1", "0", "2"],
  ["1", "2", "2"],
  ["2", "1", "1"],
];
for (const [all, link, becomes] of filters) {
  test(`rp_filter ${all} of all and ${link} of the tunnel's interface: the latter becomes ${becomes}`, () => {
    const before = withSysctls(plain, { [ipv4("all", "rp_filter")]: all, [ipv4("eth0", "rp_filter")]: link });
    const { host } = become({ host: before, state: noState }, withVips(noState, [tunnel(one)]));
    expect([host.sysctls[ipv4("all", "rp_filter")], host.sysctls[ipv4("eth0", "rp_filter")]]).toEqual([all, becomes]);
  });
}

test("IPv6 VIPs need no sysctl", () => {
  expect(words(plan(noState, seen(plain), withVips(noState, [route(six)])))).toEqual(["add-address fd00::100"]);
});

test("a VIP that is started again in another way leaves nothing of the first", () => {
  const first = become({ host: plain, state: noState }, withVips(noState, [tunnel(one)]));
  const second = become(first, withVips(first.state, [route(one)]));
  expect(second.host.attached).toEqual([]);
  expect(second.state.vips).toEqual([route(one)]);
});

const vips = fc.array(
  fc.oneof(
    fc.constantFrom(one, two, six).map(route),
    fc.tuple(fc.constantFrom(one, two, six), fc.constantFrom("eth0", "eth1")).map(([vip, link]) => tunnel(vip, link)),
  ),
  { minLength: 1, maxLength: 3 },
);
const value = fc.constantFrom("0", "1", "2");

test("whatever is started and stopped in whatever order, after the last stop the host is as it was", () => {
  const hosts = fc.tuple(fc.array(value, { minLength: 7, maxLength: 7 }), fc.subarray([one, six])).map(([values, addresses]) => ({
    ...withSysctls(plain, Object.fromEntries(Object.keys(plain.sysctls).map((key, i) => [key, values[i]!]))),
    addresses,
  }));
  fc.assert(
    fc.property(hosts, fc.array(fc.tuple(fc.boolean(), vips), { maxLength: 8 }), (before, commands) => {
      let world: World = { host: before, state: noState };
      for (const [isStart, some] of commands) {
        const desired = isStart ? withVips(world.state, some) : withoutVips(world.state, new Set(some.map(({ vip }) => vip)));
        world = become(world, desired);
        expect(plan(world.state, seen(world.host), desired).filter(({ step }) => step !== "tell-program")).toEqual([]);
      }
      world = become(world, withoutVips(world.state, new Set([one, two, six])));
      expect({ ...world.host, addresses: world.host.addresses.toSorted() }).toEqual({
        ...before,
        addresses: before.addresses.toSorted(),
      });
      expect(world.state).toEqual(noState);
    }),
  );
});

test("the words of the exits are those of the C source, in its order", () => {
  const source = readFileSync(fileURLToPath(new URL("../../bpf/realserver.bpf.c", import.meta.url)), "utf8");
  const body = /enum exit \{([^}]*)\}/.exec(source)?.[1] ?? "";
  const names = [...body.matchAll(/\bEXIT_(\w+),/g)].map(([, name]) => name!.toLowerCase().replaceAll("_", "-"));
  expect(exits.map(({ word }) => word)).toEqual(names);
});
