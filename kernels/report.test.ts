import { expect, test } from "vitest";
import { type Event, reportOf } from "./report.ts";

const lines = (...events: Event[]): string => events.map((event) => `${JSON.stringify(event)}\r\n`).join("");
const whole: Event[] = [{ kernel: "6.1.0" }, { object: "lvs.bpf.o" }, { test: "a", outcome: "passed" }, { end: true }];

test("a suite that came to its end with passed tests has no problems", () => {
  const skipped: Event = { test: "b", outcome: "skipped" };
  expect(reportOf(lines(skipped, ...whole), "0")).toEqual({ kernel: "6.1.0", objects: 1, passed: 1, skipped: 1, problems: [] });
});

test("what does not load, what fails and what was garbled is a problem each", () => {
  const wrong = lines({ object: "x.bpf.o", fault: "too large" }, { test: "b", outcome: "failed", words: "1 is not 2" });
  expect(reportOf(`${wrong}{"test":\n${lines(...whole)}`, "0").problems).toEqual([
    "x.bpf.o does not load: too large",
    "b: 1 is not 2",
    'not understood: {"test":',
  ]);
});

test("a suite that was cut short, or in which nothing passed, has a problem", () => {
  expect(reportOf(lines(...whole.slice(0, -1)), "killed").problems).toEqual(["it did not come to its end: killed"]);
  expect(reportOf("", "killed").problems).toEqual(["it did not come to its end: killed"]);
  expect(reportOf(lines({ kernel: "6.1.0" }, { end: true }), "0").problems).toEqual(["no test passed"]);
});
