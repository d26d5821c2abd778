import { expect, test } from "vitest";
import type { ServiceSpec } from "../director/director.ts";
import { ip } from "../net/ip.ts";
import type { Service } from "./config.ts";
import { type Counted, type Counts, findSuspects } from "./passive.ts";
import { dest, server, service, spec } from "./testing.ts";

const counted = (last: number, resets: number, unanswered: number, port = 80): Counted => ({
  ...{ addr: ip(`10.0.0.${last}`), port, failures: { resets, unanswered } },
});

/** Looks second after second: whom each look suspects. */
function look(c: Service, seconds: readonly ((spec: ServiceSpec) => readonly Counted[])[]): string[][] {
  let counts: Counts = new Map();
  return seconds.map((destsOf) => {
    const seen = findSuspects([c], destsOf, counts);
    counts = seen.counts;
    return seen.suspects.map((s) => `${s.server} of ${s.service}`);
  });
}

const watched = service({ passive: 3 });
const eleven = "[10.0.0.11]:tcp:80 of [192.0.2.1]:tcp:80";

test("a server whose resets and unanswered SYNs of a second reach the limit is suspect, and only then", () => {
  const seconds = [counted(11, 5, 5), counted(11, 6, 6), counted(11, 7, 8), counted(11, 7, 8), counted(11, 7, 11)];
  expect(
    look(
      watched,
      seconds.map((one) => () => [one, counted(12, 9, 9)]),
    ),
  ).toEqual([[], [], [eleven], [], [eleven]]);
});

test("what was counted before the first look, and a service without the word, make nobody suspect", () => {
  expect(look(watched, [() => [counted(11, 1000, 0)]])).toEqual([[]]);
  expect(look(service(), [() => [counted(11, 0, 0)], () => [counted(11, 9, 9)]])).toEqual([[], []]);
});

test("a dest that was put back counts from zero again", () => {
  const seconds = [
    [counted(11, 100, 0)],
    [],
    [counted(11, 100, 0)],
    [counted(11, 2, 0)],
    [counted(11, 3, 2)],
    [counted(11, 0, 3)],
  ];
  expect(
    look(
      watched,
      seconds.map((dests) => () => dests),
    ),
  ).toEqual([[], [], [], [], [eleven], [eleven]]);
});

test("a data path that does not count suspects nobody", () => {
  const silent = { addr: ip("10.0.0.11"), port: 80 };
  expect(look(watched, [() => [silent], () => [silent]])).toEqual([[], []]);
});

test("the services of a group are counted together, each with its own ports", () => {
  const specs = [spec, { ...spec, key: { protocol: "tcp", addr: ip("192.0.2.1"), port: 81 } as const }];
  const servers = [
    server(11, { dest: { ...dest("10.0.0.11"), method: "route", port: 0 } }),
    server(12, { dest: dest("10.0.0.12", 1, 8080) }),
  ];
  const portOf = ({ key }: ServiceSpec): number => (key.fwmark === undefined ? key.port : 0);
  const seconds = [0, 2].map((n) => (s: ServiceSpec) => [
    counted(11, n, 0, portOf(s)),
    counted(12, 0, portOf(s) === 80 ? n : 0, 8080),
  ]);
  expect(look(service({ passive: 3, specs, servers }), seconds)).toEqual([[], [eleven]]);
});
