import { describe, expect, test } from "vitest";
import { Table } from "../../director/table.ts";
import type { Result } from "../../health/checker.ts";
import type { Check, HealthConfig, Service } from "../../health/config.ts";
import { applyForgiving } from "../../health/forgiving.ts";
import { check, dest, server, service, sorry, spec } from "../../health/testing.ts";
import { ip } from "../../net/ip.ts";
import { runHealth } from "./runner.ts";
import { FakeWorld } from "./testing/world.ts";

const failed: Result = { type: "failed", reason: "refused" };
const checked = (last: number, weight = 1, more: Partial<Check> = {}) => {
  const to = { ...(check.probe.type === "TCP_CHECK" ? check.probe.to : undefined)!, ip: ip(`10.0.0.${last}`) };
  const c: Check = { ...check, ...more, probe: { type: "TCP_CHECK", to } };
  return server(last, { dest: dest(`10.0.0.${last}`, weight), checks: [c] });
};
const config = (...services: Service[]): HealthConfig => ({ services, tls: {}, initNotifies: false, scriptSecurity: false });
const two = (more: Partial<Service> = {}) => service({ sorry, servers: [checked(11, 3), checked(12, 2)], ...more });

describe("the checks of a configuration", () => {
  test("are tried as their times say, and change the table by what they find", () => {
    const world = new FakeWorld();
    const health = runHealth(config(two()), world);
    const start = ["add-service", "add-dest 10.0.0.11 3", "add-dest 10.0.0.12 2", "delete-dest 10.0.0.99", "run gained"];
    expect(world.take()).toEqual(start);
    world.pass(17_000);
    expect(world.tries.map((t) => t.at)).toEqual([6000, 6000, 16_000, 16_000]);
    world.results.set("10.0.0.11", failed);
    world.pass(9500); // tried at 26 s, the retry is due at 27 s
    expect(world.take()).toEqual([]);
    world.pass(1000);
    expect(world.take()).toEqual(["delete-dest 10.0.0.11", "run down11"]);
    expect(health.status()[0]).toMatchObject({ hasQuorum: true, weight: 2, servers: [{ isAlive: false }, { isAlive: true }] });
    expect(health.status()[0]?.servers[0]?.checks).toMatchObject([
      { type: "TCP_CHECK", isUp: false, hasRun: true, last: "refused" },
    ]);
    world.results.delete("10.0.0.11");
    world.pass(10_000);
    expect(world.take()).toEqual(["add-dest 10.0.0.11 3", "run up11"]);
    expect(world.logged.at(-1)).toBe("Adding service [10.0.0.11]:tcp:80 to VS [192.0.2.1]:tcp:80");
  });

  test("stop for good: tries are given up, dests and services go", () => {
    const world = new FakeWorld();
    world.results.set("10.0.0.11", undefined);
    const health = runHealth(config(two()), world);
    world.pass(7000);
    expect(world.pending).toBe(1);
    world.take();
    health.stop();
    health.stop();
    expect(world.take()).toEqual(["delete-dest 10.0.0.11", "delete-dest 10.0.0.12", "delete-service"]);
    expect(world.pending).toBe(0);
    world.pass(100_000);
    expect(world.take()).toEqual([]);
  });

  test("rest with ha_suspend until an address of the service is here", () => {
    const world = new FakeWorld();
    const health = runHealth(config(two({ suspendWithout: [ip("192.0.2.1")] })), world);
    world.pass(50_000);
    expect(world.tries).toEqual([]);
    health.holds(new Set([ip("192.0.2.1"), ip("10.0.0.1")]));
    world.pass(7000);
    expect(world.tries.length).toBe(2);
    health.holds(new Set([ip("10.0.0.1")]));
    world.pass(50_000);
    expect(world.tries.length).toBe(2);
    expect(health.status()[0]?.isSuspended).toBe(true);
    health.holds(new Set([ip("192.0.2.1")]));
    world.pass(10_000);
    expect(world.tries.length).toBe(4);
  });
});

describe("checks that begin where others have died", () => {
  const table = new Table({ maxServices: 9, maxDests: 99, isUnicast: () => true });
  const begin = (c: Service) => {
    const world = new FakeWorld();
    world.apply = (list) => void applyForgiving({ apply: (some) => table.apply(some).refusals }, list);
    return { world, health: runHealth(config(c), world, 0) };
  };
  const there = (): string[] => table.service(spec.key)!.dests.map(({ spec: d }) => `${d.addr} ${d.weight}`);
  const alone = service({ sorry, servers: [checked(11)] });

  test("relieve the sorry server, and touch nothing that is somebody else's", () => {
    const before = begin(alone);
    before.world.results.set("10.0.0.11", failed);
    before.world.pass(7000);
    before.health.close(); // as a kill does
    table.apply([{ op: "add-dest", key: spec.key, dest: dest("10.0.0.77") }]);
    expect(there().sort()).toEqual(["10.0.0.77 1", "10.0.0.99 1"]);
    begin(alone).health.close();
    expect(there().sort()).toEqual(["10.0.0.11 1", "10.0.0.77 1"]);
    table.apply([{ op: "flush" }]);
  });

  test("let alpha servers serve on until their first verdict, and take out those that have died meanwhile", () => {
    const c = service({ servers: [checked(11, 1, { alpha: true }), checked(12, 1, { alpha: true })] });
    const before = begin(c);
    before.world.pass(7000);
    before.health.close();
    const { world, health } = begin(c);
    world.results.set("10.0.0.11", failed);
    expect(there().sort()).toEqual(["10.0.0.11 1", "10.0.0.12 1"]);
    world.pass(7000);
    expect(there()).toEqual(["10.0.0.12 1"]);
    health.stop();
  });
});

describe("another configuration", () => {
  /** Two servers, the first of which is known to be down. */
  const running = () => {
    const world = new FakeWorld();
    world.results.set("10.0.0.11", failed);
    const health = runHealth(config(two()), world);
    world.pass(7000);
    world.take();
    return { world, health };
  };

  test("that is the same disturbs nothing", () => {
    const { world, health } = running();
    health.replace(config(two()));
    expect(world.take()).toEqual([]);
    world.pass(10_000);
    expect(world.tries.map((t) => t.at)).toEqual([6000, 6000, 16_000, 16_000]);
  });

  test("lets a try that is under way come to its end where the check is the same, and gives it up where it is another", () => {
    const { world, health } = running();
    for (const last of [11, 12]) world.results.set(`10.0.0.${last}`, undefined);
    world.pass(9500); // both are being tried
    expect([world.pending, world.tries.length]).toEqual([2, 4]);
    health.replace(config(two({ servers: [checked(11, 9), checked(12, 2, { delayLoop: 2000 })] })));
    expect(world.pending).toBe(1);
    world.finish("10.0.0.11", { type: "ok" });
    expect(world.take()).toEqual(["add-dest 10.0.0.11 9", "run up11"]);
    expect(world.logged.filter((line) => line.startsWith("Activating"))).toHaveLength(3); // two at first
  });

  test("leaves a server that is down out until its other check has been good", () => {
    const { world, health } = running();
    const elsewhere = checked(11, 3);
    const { probe } = elsewhere.checks[0]!;
    const to = probe.type === "TCP_CHECK" ? { ...probe.to, port: 81 } : undefined;
    const other = { ...elsewhere.checks[0]!, probe: { type: "TCP_CHECK" as const, to: to! } };
    health.replace(config(two({ servers: [{ ...elsewhere, checks: [other] }, checked(12, 2)] })));
    expect([world.take(), health.status()[0]?.servers[0]?.isAlive]).toEqual([[], false]);
    world.results.delete("10.0.0.11");
    world.pass(17_000);
    expect(world.take()).toEqual(["add-dest 10.0.0.11 3", "run up11"]);
  });

  test("changes weights, adds and removes servers, and remembers who is down", () => {
    const { world, health } = running();
    health.replace(config(two({ servers: [checked(11, 9), checked(12, 5), checked(13, 1)] })));
    expect(world.take()).toEqual(["edit-dest 10.0.0.12 5", "add-dest 10.0.0.13 1"]);
    world.results.delete("10.0.0.11");
    world.pass(10_000);
    expect(world.take()).toEqual(["add-dest 10.0.0.11 9", "run up11"]);
    health.replace(config(two({ servers: [checked(11, 9)] })));
    expect(world.take()).toEqual(["delete-dest 10.0.0.12", "delete-dest 10.0.0.13", "run down12", "run down13"]);
  });

  test("keeps checks going with their new times", () => {
    const { world, health } = running();
    health.replace(config(two({ servers: [checked(12, 2, { delayLoop: 2000 })] })));
    world.tries.length = 0;
    world.pass(5000);
    expect(world.tries.map((t) => t.at)).toEqual([9000, 11_000]);
  });

  test("edits a service, and gives a service that is new in a group all dests", () => {
    const { world, health } = running();
    const other = { ...spec, key: { protocol: "tcp", addr: ip("192.0.2.2"), port: 80 } as const };
    health.replace(config(two({ specs: [{ ...spec, scheduler: "rr" }, other] })));
    expect(world.take()).toEqual(["edit-service", "add-service", "add-dest 10.0.0.12 2"]);
    health.replace(config(two({ specs: [other] })));
    expect(world.take()).toEqual(["delete-service"]);
  });

  test("that no longer has the last living server calls the sorry server", () => {
    const { world, health } = running();
    health.replace(config(two({ servers: [checked(11, 3)] })));
    expect(world.take()).toEqual(["add-dest 10.0.0.99 1", "delete-dest 10.0.0.12", "run down12", "run lost"]);
  });

  test("takes away services that it does not have, down scripts run, and starts new ones", () => {
    const { world, health } = running();
    health.replace(config(two({ name: "[192.0.2.9]:tcp:80", omega: true })));
    expect(world.take()).toEqual([
      ...["delete-dest 10.0.0.12", "run down12", "run lost", "delete-service"],
      ...["add-service", "add-dest 10.0.0.11 3", "add-dest 10.0.0.12 2", "delete-dest 10.0.0.99", "run gained"],
    ]);
    health.replace(config());
    expect(world.take()).toEqual([
      ...["delete-dest 10.0.0.11", "delete-dest 10.0.0.12"],
      ...["run down11", "run down12", "run lost", "delete-service"],
    ]);
    world.pass(100_000);
    expect(world.take()).toEqual([]);
  });
});

describe("a server that traffic makes suspect", () => {
  test("is checked at once, once a second at most, and not before its retry", () => {
    const world = new FakeWorld();
    const health = runHealth(config(service({ servers: [checked(11), checked(12)] })), world, 0);
    world.pass(6000);
    const doubt = () => health.suspect([{ service: "[192.0.2.1]:tcp:80", server: "[10.0.0.11]:tcp:80" }]);
    const tries = (): number[] => world.tries.splice(0).map(({ at }) => at);
    expect(tries()).toEqual([5000, 5000]);
    doubt();
    doubt();
    world.pass(500);
    doubt();
    world.pass(400);
    expect(tries()).toEqual([6000]);
    world.results.set("10.0.0.11", failed);
    world.pass(200);
    doubt();
    world.pass(500);
    expect([tries(), world.take().slice(-1)]).toEqual([[7100], ["run gained"]]);
    doubt(); // the retry is due at 8100 all the same
    world.pass(600);
    expect([tries(), world.take()]).toEqual([[8100], ["delete-dest 10.0.0.11", "run down11"]]);
    health.suspect([{ service: "no such", server: "" }]);
    health.close();
    doubt();
    world.pass(20_000);
    expect(tries()).toEqual([]);
  });
});

describe("a recovered server with slow start", () => {
  const slow = (weight: number, slowStart = 4000) => {
    const { checks } = checked(11);
    return config(service({ servers: [server(11, { slowStart, checks, dest: dest("10.0.0.11", weight) }), checked(12)] }));
  };

  test("gains weight with time, through a reload too, and nothing is left waiting when it is closed", () => {
    const world = new FakeWorld();
    world.results.set("10.0.0.11", failed);
    const health = runHealth(slow(8), world, 0);
    world.pass(6000);
    world.results.delete("10.0.0.11");
    world.take();
    world.pass(10_000);
    expect(world.take()).toEqual(["add-dest 10.0.0.11 1", "run up11", "edit-dest 10.0.0.11 2"]);
    expect(health.status()[0]?.servers[0]).toMatchObject({ weight: 8, weightNow: 2 });
    health.replace(slow(80));
    expect(world.take()).toEqual(["edit-dest 10.0.0.11 20"]);
    world.pass(1000);
    expect(world.take()).toEqual(["edit-dest 10.0.0.11 40"]);
    health.close();
    world.pass(5000);
    expect(world.take()).toEqual([]);
  });
});
