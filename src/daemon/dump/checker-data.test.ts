import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { runHealth, type World } from "../health/runner.ts";
import { checkerData } from "./checker-data.ts";
import type { Facts } from "./facts.ts";
import { factsOf } from "./testing/facts.ts";

/**
 * testing/checks.data is what Debian's keepalived 2.2.7 wrote as keepalived_check.data for testing/checks.conf, on a kernel with
 * ip_vs and before its first check; testing/more-checks.data what it wrote after some.
 */

const read = (name: string): string => readFileSync(`src/daemon/dump/testing/${name}`, "utf8");

/** Lines of keepalived that have no meaning here. */
const foreign = [
  /^ {3}Last (ran|status) = /, // of a script: `lvsctl checks` tells more
  /^ {5}Regex (options|ref count)/, // of its library
];

/** Nothing happens in it: the checks stay as they begin. */
const idle: World = {
  ...{ now: () => 0, random: () => 0, apply() {}, run() {}, tell() {}, log() {}, mail() {} },
  wheel: { at: () => () => {} },
  probe: () => () => {},
};

function checked(conf: string): Facts {
  const facts = factsOf(conf);
  const running = runHealth(facts.health, idle);
  running.holds(new Set());
  return { ...facts, services: running.status() };
}

const sectionsOf = (text: string): string[] => {
  const kept = text.split("\n").filter((line) => !foreign.some((pattern) => pattern.test(line)));
  const lines = kept.map((line) => line.replace(/^( FWM .*:none):\d+$/, "$1:PORT")); // of a mark keepalived forgets it
  return lines.slice(lines.indexOf("------< SSL definitions >------"));
};

test("keepalived_check.data has keepalived's lines in keepalived's order", () => {
  expect(sectionsOf(checkerData(checked(read("checks.conf"))))).toEqual(sectionsOf(read("checks.data")));
});

/** What became of servers and checks there meanwhile. */
const states = [
  /^( {3}RIP = .*), WEIGHT = .*/,
  /^( {3}(?:effective weight|alive|num failed checkers|RS set|quorum_state_up|Up|Has run|Current weight|Retries iterations)) = .*/,
  /^( {5}Alive:).*/,
];
const still = (lines: readonly string[]): string[] =>
  lines
    .filter((line) => !/^ {3}(Failed URL|Status) = /.test(line))
    .map((line) => states.reduce((text, pattern) => text.replace(pattern, "$1 ANY"), line));

test("words that the other file has not are where keepalived has them, whatever has become of the servers", () => {
  expect(still(sectionsOf(checkerData(checked(read("more-checks.conf")))))).toEqual(still(sectionsOf(read("more-checks.data"))));
});
