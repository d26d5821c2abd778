import { expect, test } from "vitest";
import { availablePages, pagesIn } from "./host-memory.ts";

test("free memory and buffers make the available pages", () => {
  const text =
    "MemTotal:        1000000 kB\nMemFree:             400 kB\nMemAvailable:     900000 kB\nBuffers:              43 kB\n";
  expect(pagesIn(text)).toBe(110);
});

test("this host has memory left", () => {
  expect(availablePages()).toBeGreaterThan(0);
});

test("a text without them is a fault, not a host without memory", () => {
  expect(() => pagesIn("MemTotal: 5 kB\n")).toThrow("no MemFree");
});
