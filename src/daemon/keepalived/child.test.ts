import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { LogValues } from "../../director/engine.ts";
import { type Care, Child } from "./child.ts";

/** Children are small programs that do as the first word of their configuration says. */

let folder: string;
const program = () => join(folder, "child.mjs");
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lvsd-child-"));
  const source = `let deaf = false, frail = false;
process.on("disconnect", () => process.exit(0)).on("message", (order) => {
  const { type, config } = order;
  if (type === "configure" && config.startsWith("exit")) process.exit(Number(config.slice(5)));
  if (type === "configure") process.send({ type: "ready" }, () => config.startsWith("then") && process.exit(Number(config.slice(5))));
  if (config === "deaf") deaf = true;
  if (config === "frail") frail = true;
  if (type === "ping" && frail) process.exit(7);
  if (type === "ping" && !deaf) process.send({ type: "pong" });
  if (type === "stop" && !deaf) process.exit(0);
});`;
  writeFileSync(program(), source);
});
afterAll(() => rmSync(folder, { recursive: true }));

function begin(config: string, care: Care) {
  const said: string[] = [];
  const tell = (event: string, values: LogValues = {}) => void said.push(`${event} ${values.reason ?? ""}`.trim());
  const log = { debug: tell, info: tell, warn: tell, error: tell };
  const child = new Child<string, { type: string }>(config, { name: "test", program: program(), log, care, onReport() {} });
  return { child, said };
}
const until = (what: () => void): Promise<void> => vi.waitFor(what, { timeout: 10_000, interval: 20 });

test("one that ends with 2 before it was ready is given up, with its exit code", async () => {
  const exits: number[] = [];
  const { said } = begin("exit 2", { giveUp: (exit) => void exits.push(exit) });
  await until(() => expect(exits).toEqual([2]));
  expect(said).toEqual(["process started", "process failed exit 2"]);
});

const again: [why: string, config: string, care: Care][] = [
  ["it had been ready", "then 2", { giveUp: () => expect.unreachable() }],
  ["its exit code says nothing", "exit 3", { giveUp: () => expect.unreachable() }],
  ["nobody takes it for the end of all", "exit 2", {}],
];
for (const [why, config, care] of again)
  test(`one that dies is started again when ${why}`, async () => {
    const { child, said } = begin(config, care);
    await until(() => expect(said.filter((line) => line === "process started")).toHaveLength(2));
    await child.stop();
  });

test("without respawn any death is the end, with exit code 0", async () => {
  const exits: number[] = [];
  const { said } = begin("then 7", { respawn: false, giveUp: (exit) => void exits.push(exit) });
  await until(() => expect(exits).toEqual([0]));
  expect(said.at(-1)).toBe("process died exit 7");
});

test("it is told of its pid and its end, answers when asked, and one that does not end is killed when its time is over", async () => {
  const seen: unknown[] = [];
  const care: Care = { patience: () => 200, onStart: (name, pid) => seen.push(name, pid > 0), onEnd: (name) => seen.push(name) };
  const { child, said } = begin("work", care);
  expect(await child.obeyed()).toBeUndefined();
  expect(await child.answers(2000)).toBe(true);
  await child.configure("deaf");
  expect(await child.answers(100)).toBe(false);
  await child.stop();
  expect(said).toContain("killed it does not end");
  expect(seen).toEqual(["test", true, "test"]);
});

test("one that dies again and again does not hang: it answers when asked, between two lives and at their ends", async () => {
  const { child, said } = begin("frail", {});
  const deaths = (): number => said.filter((line) => line === "process died exit 7").length;
  for (const death of [1, 2]) {
    await until(() => expect(said.filter((line) => line === "process started")).toHaveLength(death));
    expect([await child.answers(5000), deaths()]).toEqual([true, death]);
  }
  expect([await child.answers(50), deaths()]).toEqual([true, 2]); // a second's pause
  await child.stop();
});
