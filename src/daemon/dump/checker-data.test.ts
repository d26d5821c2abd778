import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseText } from "../../config/parse.ts";
import { settled } from "../../config/settled.ts";
import { fromConfig as healthFrom } from "../health/from-config.ts";
import { runHealth, type World } from "../health/runner.ts";
import { fromConfig as vrrpFrom } from "../vrrp/from-config.ts";
import { nothingTracked } from "../vrrp/trackers.ts";
import { checkerData } from "./checker-data.ts";
import type { Facts } from "./facts.ts";

/** testing/keepalived_check.data is what Debian's keepalived 2.2.7 wrote for testing/checks.conf on a kernel with ip_vs, before its first check. */

const read = (name: string): string => readFileSync(`src/daemon/dump/testing/${name}`, "utf8");

/** Lines of keepalived that have no meaning here. */
const foreign = [
  /^ {3}Last (ran|status) = /, // of a script: `lvsctl checks` tells more
  /^ {5}Regex (options|ref count)/, // of its library
];

/** Nothing happens in it: the checks stay as they begin. */
const still: World = {
  ...{ now: () => 0, random: () => 0, apply() {}, run() {}, tell() {}, log() {}, mail() {} },
  wheel: { at: () => () => {} },
  probe: () => () => {},
};

function factsOf(conf: string): Facts {
  const config = settled(parseText(conf).config);
  const { health } = healthFrom(config);
  const running = runHealth(health, still);
  running.holds(new Set());
  return {
    ...{ config, vrrp: vrrpFrom(config), health, services: running.status(), now: 0 },
    status: { instances: [], groups: {}, trackers: nothingTracked },
    machine: {
      ...{ hostName: "vm", user: "root", links: [], addresses: [] },
      resolve: (program) => program.replace(/^\/bin\//, "/usr/bin/"),
      identity: () => ({ uid: 0, gid: 0 }),
    },
  };
}

const sectionsOf = (text: string): string[] => {
  const kept = text.split("\n").filter((line) => !foreign.some((pattern) => pattern.test(line)));
  const lines = kept.map((line) => line.replace(/^( FWM .*:none):\d+$/, "$1:PORT")); // of a mark keepalived forgets it
  return lines.slice(lines.indexOf("------< SSL definitions >------"));
};

test("keepalived_check.data has keepalived's lines in keepalived's order", () => {
  expect(sectionsOf(checkerData(factsOf(read("checks.conf"))))).toEqual(sectionsOf(read("keepalived_check.data")));
});
