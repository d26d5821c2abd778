import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { TrackProcess } from "../../vrrp/config.ts";
import { countProcesses, isMatch, QuorumWatch } from "./processes.ts";
import { ScriptQueue } from "./scripts.ts";
import { until } from "./testing/nodes.ts";

const wanted = (text: string, change: Partial<TrackProcess> = {}): TrackProcess => ({
  ...{ name: "p", command: text.split(" "), match: "exact", fullCommand: false, quorum: 1, quorumMax: undefined },
  ...{ forkDelay: 0, terminateDelay: 0, weight: { weight: 0, reverse: false }, ...change },
});

const cases: [wanted: TrackProcess, argv: string, matches: boolean][] = [
  [wanted("nginx", { match: "name" }), "/usr/sbin/nginx -g x", true],
  [wanted("nginx", { match: "name" }), "/usr/sbin/apache2", false],
  [wanted("nginx -g x"), "/usr/sbin/nginx -g x", true],
  [wanted("nginx -g"), "/usr/sbin/nginx -g x", false],
  [wanted("nginx -g", { match: "initial" }), "/usr/sbin/nginx -g x", true],
  [wanted("nginx --conf", { match: "partial" }), "/usr/sbin/nginx --config=/x", true],
  [wanted("/usr/sbin/nginx", { fullCommand: true }), "/usr/sbin/nginx -g x", true],
  [wanted("nginx", { fullCommand: true }), "/usr/sbin/nginx -g x", false],
];
for (const [process, argv, matches] of cases) {
  test(`"${process.command.join(" ")}" (${process.fullCommand ? "full" : process.match}) ${matches ? "is" : "is not"} ${argv}`, () => {
    const args = argv.split(" ");
    expect(isMatch(process, { comm: args[0]!.split("/").at(-1)!.slice(0, 15), args })).toBe(matches);
  });
}

test("this process is found among those that run", () => {
  const name = process.argv0.split("/").at(-1)!;
  expect(countProcesses([wanted(name, { match: "name" })]).get("p")).toBeGreaterThan(0);
});

test("a quorum is lost after its delay, unless it comes back before", async () => {
  const lines: string[] = [];
  const watch = new QuorumWatch(wanted("x", { quorum: 2, terminateDelay: 60 }), {
    onChange() {},
    log: (text) => lines.push(text),
  });
  watch.count(2);
  watch.count(1);
  watch.count(2);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect([watch.value, lines]).toEqual([true, []]);
  watch.count(1);
  expect(watch.value).toBe(true);
  await until("it is lost", () => watch.value === false);
  expect(lines).toEqual(["Quorum lost for tracked process p"]);
  watch.close();
});

test("scripts of a queue run one after the other, and one that takes too long is not waited for", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lvsd-queue-"));
  try {
    const lines: string[] = [];
    const file = join(folder, "out");
    const queue = new ScriptQueue((text) => lines.push(text), 500);
    const add = (script: string): void => queue.add({ command: ["/bin/sh", "-c", script], user: undefined, group: undefined });
    add(`sleep 0.2; echo one >> ${file}`);
    add(`echo two >> ${file}`);
    add("sleep 2");
    add(`echo three >> ${file}`);
    const text = (): string => readFileSync(file, { encoding: "utf8", flag: "a+" });
    await until("three is there", () => text().includes("three"));
    expect(text()).toBe("one\ntwo\nthree\n");
    expect(lines).toEqual(["script /bin/sh takes longer than 0.5 s, the next one does not wait for it"]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
