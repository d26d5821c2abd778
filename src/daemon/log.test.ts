import { expect, test } from "vitest";
import { createLog } from "./log.ts";

function written(form: "text" | "json", values: Record<string, unknown>): string {
  const lines: string[] = [];
  createLog(form, (line) => lines.push(line)).info("ready", values);
  expect(lines.length).toBe(1);
  return lines[0]!;
}

const cases: [values: Record<string, unknown>, text: string][] = [
  [{}, ""],
  [{ pid: 7, interfaces: "eth0,eth1" }, " pid=7 interfaces=eth0,eth1"],
  [{ list: ["a", "b"], none: [] }, " list=a,b none=[]"],
  [{ reason: 'two words "quoted"\nand a line' }, ' reason="two words \\"quoted\\"\\nand a line"'],
  [{ key: { port: 80 }, empty: "", absent: undefined }, ' key={"port":80} empty=""'],
];

for (const [values, text] of cases) {
  test(`${JSON.stringify(values)} is one line of text`, () => {
    expect(written("text", values)).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info ready[^\n]*\n$/);
    expect(written("text", values).slice("2026-01-31T12:00:00.000Z info ready".length)).toBe(`${text}\n`);
  });
}

test("a line of JSON has the same words", () => {
  const entry = JSON.parse(written("json", { pid: 7 }));
  expect(entry).toEqual({ level: "info", time: expect.stringMatching(/Z$/), event: "ready", pid: 7 });
});
