import { afterAll, beforeAll, expect, test } from "vitest";
import { Astray, Bench } from "./measure.ts";
import { memoryOf } from "./memory.ts";
import { QUICK_ROWS } from "./rows.ts";
import { Scene } from "./scene.ts";
import { scatteredStep, Wrapper } from "./wrapper.ts";

let scene: Scene;
let wrapper: Wrapper;
let bench: Bench;

beforeAll(() => {
  scene = new Scene(1 << 16);
  wrapper = new Wrapper("xdp", scene.path.program("lvs_xdp"));
  bench = new Bench(scene, wrapper, { rounds: 3, packets: { min: 20_000, max: 20_000 } });
});

afterAll(() => {
  wrapper?.close();
  scene?.close();
});

test("every quick row has a time between its least and its greatest", () => {
  const results = [...bench.run(QUICK_ROWS)];
  expect(results.map(({ name }) => name)).toEqual(QUICK_ROWS.map(({ name }) => name));
  for (const { name, ns, min, max } of results) {
    expect(ns, name).toBeGreaterThan(0);
    expect(min, name).toBeLessThanOrEqual(ns);
    expect(max, name).toBeGreaterThanOrEqual(ns);
  }
});

test("a conn takes what its struct, its places in the index and its slot take", () => {
  const { conns, bytesPerConn } = memoryOf(scene.path);
  expect(conns).toBeGreaterThanOrEqual(192);
  expect(bytesPerConn).toBeGreaterThan(conns);
  expect(bytesPerConn).toBeLessThan(300);
});

test("packets that leave early are an error, not a fast result", () => {
  expect(scene.core.apply([{ op: "flush" }])).toEqual([]);
  expect(() => [...bench.run(QUICK_ROWS.slice(0, 1))]).toThrow(Astray);
});

test.each([1, 2, 3, 1000, 65_536, 100_000])("scattered over %i flows, every flow has its turn", (flows) => {
  const step = scatteredStep(flows);
  const seen = new Set(Array.from({ length: flows }, (_, i) => (i * step) % flows));
  expect(seen.size).toBe(flows);
  expect(step).toBeLessThanOrEqual(flows);
});
