import { expect, test } from "vitest";
import { type Ip, ip } from "../../net/ip.ts";
import { mac } from "../../net/mac.ts";
import { untuned } from "../../tuning.ts";
import type { Heard } from "../../vrrp/accept.ts";
import { addressKey, type Change, routeKey } from "../../vrrp/addresses.ts";
import type { Instance, SyncGroup, VirtualRoute, VrrpConfig } from "../../vrrp/config.ts";
import { standardGlobals } from "../../vrrp/config.ts";
import { fifoLine } from "../../vrrp/notify.ts";
import { instance, noNotify, noTracking } from "../../vrrp/testing.ts";
import type { InterfaceAddress } from "../../wire/rtnetlink-address.ts";
import { plainAddress } from "../../wire/rtnetlink-client.ts";
import type { Link } from "../../wire/rtnetlink-link.ts";
import type { Route } from "../../wire/rtnetlink-route.ts";
import { openVrrpIpv4 } from "../../wire/vrrp-packet.ts";
import { VrrpRunner } from "./runner.ts";

/** Runners on one link in one process, with time that is told to pass. */

const UP = 0x1 | 0x40 | 0x10000;

class Node {
  readonly runner: VrrpRunner;
  readonly lines: string[] = [];
  readonly told: string[] = [];
  readonly announced: Ip[] = [];
  readonly refused: string[] = [];
  readonly values = new Map<string, boolean | number | undefined>();
  links: Link[];
  addresses: InterfaceAddress[];
  routes: Route[] = [];
  wakeAt: number | undefined;
  hears: ((vrid: number, heard: Heard) => void)[] = [];
  readonly world: World;

  constructor(world: World, number: number, config: VrrpConfig) {
    this.world = world;
    this.links = ["eth0", "eth1"].map((name, i) => ({
      ...{ ifindex: i + 2, name, flags: UP, hardware: 1, mac: mac(`02:00:00:00:00:0${number}`) },
      ...{ mtu: 1500, master: 0, lower: 0, kind: "veth" },
    }));
    this.addresses = [2, 3].map((ifindex) => plainAddress(ifindex, ip(`10.${ifindex}.0.${number}`), 24));
    this.runner = new VrrpRunner(config, {
      now: () => world.now,
      wakeAt: (at) => {
        this.wakeAt = at;
      },
      network: {
        ...{ links: () => this.links, refresh() {}, watchRoutes() {}, changeLink() {}, close() {}, client: undefined as never },
        held: () => ({ addresses: [...this.addresses], routes: [...this.routes], rules: [] }),
        apply: (change) => this.apply(change),
      },
      announcer: {
        ...{ setPace() {}, drop() {}, pump: () => undefined, close() {} },
        announce: ({ address }) => void this.announced.push(address),
      },
      firewall: { refuse: (addresses) => void this.refused.push(addresses.join(" ")), close() {} },
      trackers: () => ({
        look: (_, name) => ({ weight: { weight: 0, reverse: false }, value: this.values.get(name) }),
        close() {},
      }),
      isRouter: () => false,
      tell: (event) => void this.told.push(fifoLine(event).trim()),
      log: (text, detail) => void (detail || this.lines.push(text)),
      openSender: ({ link }) => ({ send: (packet) => world.deliver(this, link?.ifindex ?? 0, packet), close() {} }),
      openReceiver: (listen, onPacket) => {
        const hear = (vrid: number, heard: Heard): void => {
          if (heard.from.startsWith(`10.${listen.link?.ifindex}.`) && !listen.ah) onPacket(vrid, heard);
        };
        this.hears.push(hear);
        const close = (): void => {
          this.hears = this.hears.filter((each) => each !== hear);
        };
        return { join() {}, drain() {}, close };
      },
    });
  }

  apply({ op, kind, value }: Change): void {
    if (kind === "rule") return;
    if (kind === "address") this.addresses = changed(addressKey, this.addresses, op, value);
    else this.routes = changed(routeKey, this.routes, op, value);
  }

  setLink(name: string, isUp: boolean): void {
    this.links = this.links.map((l) => (l.name === name ? { ...l, flags: isUp ? UP : 1 } : l));
    this.runner.networkChanged();
  }

  has = (address: string): boolean => this.addresses.some((a) => a.address === address);
  states = (): string => [...this.runner.units.values()].map((u) => u.state.name).join(" ");
}

function changed<T>(key: (thing: T) => string, list: readonly T[], op: Change["op"], value: T): T[] {
  const isThere = list.some((one) => key(one) === key(value));
  if (op === "delete") return list.filter((one) => key(one) !== key(value));
  return isThere ? [...list] : [...list, value];
}

class World {
  now = 0;
  readonly nodes: Node[] = [];
  add(config: VrrpConfig): Node {
    const node = new Node(this, this.nodes.length + 1, config);
    this.nodes.push(node);
    return node;
  }
  deliver(from: Node, ifindex: number, packet: Uint8Array): void {
    const carried = openVrrpIpv4(packet);
    if (typeof carried === "string") throw new Error(carried);
    const heard: Heard = {
      from: carried.src,
      to: carried.dst,
      ttl: carried.ttl,
      message: carried.message,
      packet,
      ah: undefined,
    };
    const isUp = (node: Node): boolean => node.links.some((l) => l.ifindex === ifindex && l.flags === UP);
    if (!isUp(from)) return;
    for (const node of this.nodes)
      if (node !== from && isUp(node)) for (const hear of node.hears) hear(carried.message[1]!, heard);
  }
  /** Lets so many ms go by. */
  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const next = this.nodes.filter((n) => n.wakeAt !== undefined).sort((a, b) => a.wakeAt! - b.wakeAt!)[0];
      if (next === undefined || next.wakeAt! > end) break;
      this.now = Math.max(this.now, next.wakeAt!);
      next.wakeAt = undefined;
      next.runner.wake();
    }
    this.now = end;
  }
}

const statics = { addresses: [], routes: [], rules: [] };
const address = (text: string) => ({ ...instance.addresses[0]!, ip: ip(text) });
const config = (instances: readonly Partial<Instance>[], groups: readonly SyncGroup[] = []): VrrpConfig => ({
  instances: instances.map((change) => ({ ...instance, ...change })),
  ...{
    groups,
    scripts: [],
    files: [],
    processes: [],
    bfds: [],
    fifos: [],
    statics,
    scriptSecurity: false,
    startupDelay: 0,
    tuning: untuned,
    globals: standardGlobals,
    garpInterval: 0,
    gnaInterval: 0,
  },
});
const VIP = "10.0.0.100";

test("of two the better one holds the address; when it stops the other one does", () => {
  const world = new World();
  const [high, low] = [world.add(config([{ priority: 150 }])), world.add(config([{ priority: 100 }]))];
  for (const node of world.nodes) node.runner.start();
  world.pass(5000);
  expect([high.states(), low.states(), high.has(VIP), low.has(VIP)]).toEqual(["master", "backup", true, false]);
  expect(high.announced).toHaveLength(5);
  expect(high.told).toEqual(['INSTANCE "VI_1" BACKUP 150', 'INSTANCE "VI_1" MASTER 150']);
  high.runner.stop();
  world.pass(700);
  expect([low.states(), high.has(VIP), low.has(VIP)]).toEqual(["master", false, true]);
});

test("addresses left over from before are removed at start, unless it goes on", () => {
  const left = (options: { resume?: boolean }): [boolean, string] => {
    const node = new World().add(config([{}]));
    node.addresses.push(plainAddress(2, ip(VIP), 32));
    node.runner.start(options);
    node.world.pass(1);
    return [node.has(VIP), node.states()];
  };
  expect(left({})).toEqual([false, "backup"]);
  expect(left({ resume: true })).toEqual([true, "master"]);
});

const pair = (priority: number): VrrpConfig =>
  config(
    [
      { name: "inner", vrid: 1, interface: "eth0", priority, addresses: [address("10.2.0.100")] },
      { name: "outer", vrid: 2, interface: "eth1", priority, addresses: [address("10.3.0.100")] },
    ],
    [{ name: "G", members: ["inner", "outer"], track: noTracking, notify: noNotify }],
  );

test("the two sides of a router move together when one link fails, and back together", () => {
  const world = new World();
  const [high, low] = [world.add(pair(150)), world.add(pair(100))];
  for (const node of world.nodes) node.runner.start();
  world.pass(9000);
  expect([high.states(), low.states()]).toEqual(["master master", "backup backup"]);
  high.setLink("eth1", false);
  world.pass(5000);
  expect([high.states(), low.states()]).toEqual(["fault fault", "master master"]);
  expect(high.has("10.2.0.100") || high.has("10.3.0.100")).toBe(false);
  high.setLink("eth1", true);
  world.pass(9000);
  expect([high.states(), low.states()]).toEqual(["master master", "backup backup"]);
  expect(high.told.filter((line) => line.startsWith("GROUP"))).toEqual(
    ["BACKUP", "MASTER", "FAULT", "BACKUP", "MASTER"].map((w) => `GROUP "G" ${w} 0`),
  );
});

test("a group of which one link is down at the start is in fault as a whole, and nobody was backup before", () => {
  const node = new World().add(pair(150));
  node.links = node.links.map((l) => (l.name === "eth1" ? { ...l, flags: 1 } : l));
  node.runner.start();
  node.world.pass(1);
  expect(node.states()).toBe("fault fault");
  expect(node.told.filter((line) => line.includes("BACKUP"))).toEqual([]);
});

test("a tracked script that has not answered holds its instance in INIT", () => {
  const track = { ...noTracking, scripts: [{ name: "s", weight: undefined }] };
  const node = new World().add(config([{ track }]));
  node.runner.start();
  expect(node.states()).toBe("init");
  node.values.set("s", false);
  node.runner.evaluate();
  expect(node.states()).toBe("fault");
  expect(node.lines).toContain("(VI_1) entering FAULT state due to script s");
  node.values.set("s", true);
  node.runner.evaluate();
  expect(node.states()).toBe("backup");
});

test("one that does not accept has its addresses refused before it takes them, and no longer after", () => {
  const node = new World().add(config([{ accept: false }]));
  node.runner.start();
  node.world.pass(5000);
  expect(node.refused).toEqual([VIP]);
  node.runner.stop();
  expect(node.refused).toEqual([VIP, ""]);
});

test("static addresses are there from start to stop, whatever the state", () => {
  const fixed = { ...statics, addresses: [{ ...address("10.0.0.50"), dev: "eth1" }] };
  const node = new World().add({ ...config([{}]), statics: fixed });
  node.runner.start();
  expect([node.has("10.0.0.50"), node.states()]).toEqual([true, "backup"]);
  node.addresses = node.addresses.filter((a) => a.address !== "10.0.0.50"); // by somebody else
  node.runner.networkChanged();
  node.world.pass(100);
  expect(node.has("10.0.0.50")).toBe(true);
  node.runner.replace({ ...config([{}]), statics: { ...statics, addresses: [{ ...address("10.0.0.51"), dev: "eth1" }] } });
  expect([node.has("10.0.0.50"), node.has("10.0.0.51")]).toEqual([false, true]);
  node.runner.stop();
  expect(node.has("10.0.0.51")).toBe(false);
});

test("a start-up delay holds everything back", () => {
  const node = new World().add({ ...config([{}]), startupDelay: 3000 });
  node.runner.start();
  node.world.pass(2999);
  expect(node.states()).toBe("init");
  node.world.pass(2);
  expect(node.states()).toBe("backup");
});

test("a reload that takes an instance away stops it with priority 0 and FAULT, and leaves the other alone", () => {
  const world = new World();
  const two = [
    { name: "a", vrid: 1 },
    { name: "b", vrid: 2, addresses: [address("10.0.0.101")] },
  ];
  const [high, low] = [world.add(config(two.map((i) => ({ ...i, priority: 150 })))), world.add(config(two))];
  for (const node of world.nodes) node.runner.start();
  world.pass(5000);
  high.runner.replace(config([{ ...two[1], name: "renamed", priority: 150 }]));
  expect(high.told.at(-1)).toBe('INSTANCE "a" FAULT 150');
  world.pass(800);
  expect([high.states(), low.states()]).toEqual(["master", "master backup"]);
  world.pass(5000);
  expect([high.states(), low.states()]).toEqual(["master", "master backup"]);
});

const bfdTracked = { ...noTracking, bfds: [{ name: "B1", weight: undefined }] };

test("a group that tracks a BFD session begins when it is told of it, and falls and rises with it as a whole", () => {
  const { groups, ...rest } = pair(150);
  const world = new World();
  const node = world.add({ ...rest, groups: [{ ...groups[0]!, track: bfdTracked }] });
  node.runner.start();
  world.pass(5000);
  expect(node.states()).toBe("init init");
  const told = (isUp: boolean): void => {
    node.values.set("B1", isUp);
    node.runner.evaluate();
    world.pass(5000);
  };
  told(true);
  expect([node.states(), node.has("10.2.0.100"), node.has("10.3.0.100")]).toEqual(["master master", true, true]);
  told(false);
  expect([node.states(), node.has("10.2.0.100"), node.has("10.3.0.100")]).toEqual(["fault fault", false, false]);
  expect(node.lines).toContain("(inner) entering FAULT state (tracked BFD instance B1 down)");
  told(true);
  expect(node.states()).toBe("master master");
});

test("a restarted router that tracks a BFD session keeps its address until it is told of it", () => {
  const world = new World();
  const node = world.add(config([{ track: bfdTracked }]));
  node.addresses.push(plainAddress(2, ip(VIP), 32));
  node.runner.start({ resume: true });
  world.pass(1000);
  expect([node.states(), node.has(VIP)]).toEqual(["init", true]);
  node.values.set("B1", true);
  node.runner.evaluate();
  expect(node.has(VIP)).toBe(true);
  world.pass(1);
  expect([node.states(), node.has(VIP)]).toEqual(["master", true]);
});

test("a restarted master does not wait for the start-up delay", () => {
  const node = restarted({ ...config([{}]), startupDelay: 10_000 }, [[2, VIP]], () => {});
  node.world.pass(1);
  expect([node.states(), node.has(VIP)]).toEqual(["master", true]);
});

/** Restarted where the addresses are still, after what has happened meanwhile. */
function restarted(
  config: VrrpConfig,
  addresses: readonly [ifindex: number, vip: string][],
  meanwhile: (node: Node) => void,
): Node {
  const node = new World().add(config);
  for (const [ifindex, vip] of addresses) node.addresses.push(plainAddress(ifindex, ip(vip), 32));
  meanwhile(node);
  node.runner.start({ resume: true });
  return node;
}

test("a restarted router whose link is down leaves its address, and does not lead at once when the link is back", () => {
  const node = restarted(config([{ preempt: false }]), [[2, VIP]], (n) => n.setLink("eth0", false));
  expect([node.states(), node.has(VIP)]).toEqual(["fault", false]);
  node.setLink("eth0", true);
  node.world.pass(1000);
  expect([node.states(), node.has(VIP)]).toEqual(["backup", false]);
});

test("a restarted router leaves its address to the master that it hears", () => {
  const node = restarted(config([{ preempt: false, track: bfdTracked }]), [[2, VIP]], () => {});
  const other = node.world.add(config([{ priority: 50 }]));
  other.runner.start();
  node.world.pass(5000);
  expect(other.states()).toBe("master");
  node.values.set("B1", true);
  node.runner.evaluate();
  other.runner.replace(config([{ priority: 50 }])); // sends an advert first
  expect([node.states(), node.has(VIP)]).toEqual(["backup", false]);
});

test("a restarted router that is stopped while it waits for BFD leaves its address", () => {
  const node = restarted(config([{ track: bfdTracked }]), [[2, VIP]], () => {});
  expect([node.states(), node.has(VIP)]).toEqual(["init", true]);
  node.runner.networkChanged();
  node.world.pass(100);
  expect(node.has(VIP)).toBe(true);
  node.runner.stop();
  expect(node.has(VIP)).toBe(false);
});

test("a restarted sync group goes on only as a whole", () => {
  const inner: [number, string] = [2, "10.2.0.100"];
  const outer: [number, string] = [3, "10.3.0.100"];
  const half = restarted(pair(150), [inner], () => {});
  half.world.pass(1);
  expect([half.states(), half.has(inner[1])]).toEqual(["backup backup", false]);
  const whole = restarted(pair(150), [inner, outer], () => {});
  whole.world.pass(1);
  expect([whole.states(), whole.has(inner[1]), whole.has(outer[1])]).toEqual(["master master", true, true]);
  const broken = restarted(pair(150), [inner, outer], (n) => n.setLink("eth1", false));
  expect([broken.states(), broken.has(inner[1]), broken.has(outer[1])]).toEqual(["fault fault", false, false]);
});

test("a VMAC interface of the right name on another link is not used", () => {
  const node = new World().add(config([{ vmac: "vrrp.51" }]));
  const place = (lower: number): void => {
    node.links = [...node.links.slice(0, 2), { ...node.links[0]!, ifindex: 9, name: "vrrp.51", lower }];
    node.runner.evaluate();
    node.world.pass(5000);
  };
  node.runner.start();
  place(3);
  expect([node.states(), node.has(VIP)]).toEqual(["fault", false]);
  expect(node.lines).toContain("(VI_1) entering FAULT state (interface vrrp.51 is not on eth0)");
  place(2);
  expect([node.states(), node.has(VIP)]).toEqual(["master", true]);
});

test("a reload that only changes what an address or a route is like makes these anew, and nothing else", () => {
  const route: Omit<VirtualRoute, "mtu"> = {
    ...{ family: "ipv4", prefix: ip("10.7.0.0"), length: 16, via: undefined, dev: "eth0", source: undefined, table: 254 },
    ...{ metric: 0, scope: undefined, type: "unicast", onlink: false, tos: 0, hops: [] },
  };
  const wanted = (label: string, mtu: number | undefined): VrrpConfig =>
    config([{ addresses: [{ ...address(VIP), label }, address("10.0.0.101")], routes: [{ ...route, mtu }] }]);
  const node = new World().add(wanted("", undefined));
  node.runner.start();
  node.world.pass(20_000);
  const before = node.announced.length;
  const other = node.addresses.find((a) => a.address === "10.0.0.101");
  node.runner.replace(wanted("eth0:v", 1400));
  expect(node.addresses.find((a) => a.address === VIP)?.label).toBe("eth0:v");
  expect(node.addresses.find((a) => a.address === "10.0.0.101")).toBe(other);
  expect(node.routes.map(({ mtu }) => mtu)).toEqual([1400]);
  expect([node.states(), node.announced.length > before]).toEqual(["master", true]);
  const after = node.announced.length;
  node.runner.replace(wanted("eth0:v", 1400));
  expect(node.announced).toHaveLength(after);
});
