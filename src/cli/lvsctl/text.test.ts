import { expect, test } from "vitest";
import { endpoint } from "./explain.ts";
import { duration, left, right, short, table } from "./text.ts";

const numbers: [n: number, text: string][] = [
  [0, "0"],
  [9999, "9999"],
  [10_000, "10.0k"],
  [123_456, "123k"],
  [999_499, "999k"],
  [999_500, "1.00M"],
  [4_560_000, "4.56M"],
  [12_500_000_000, "12.5G"],
];
for (const [n, text] of numbers) test(`${n} is short for ${text}`, () => expect(short(n)).toBe(text));

const times: [seconds: number, text: string][] = [
  [0, "0s"],
  [59, "59s"],
  [250, "4m 10s"],
  [3600, "1h 0m"],
  [12 * 86_400 + 5 * 3600 + 59, "12d 5h"],
];
for (const [seconds, text] of times) test(`${seconds} s is ${text}`, () => expect(duration(seconds)).toBe(text));

test("columns stand under their titles, numbers to the right, colours without width", () => {
  const rows = [
    ["a", "1", "x"],
    ["\x1b[31mlonger\x1b[39m", "100", ""],
  ];
  expect(table([left("NAME"), right("N"), left("LAST")], rows)).toBe(
    ["NAME      N  LAST", "a         1  x", "\x1b[31mlonger\x1b[39m  100", ""].join("\n"),
  );
});

test("an endpoint is an address and a port", () => {
  expect(endpoint("10.0.0.1:80")).toEqual({ addr: "10.0.0.1", port: 80 });
  expect(endpoint("[2001:DB8::1]:0")).toEqual({ addr: "2001:db8::1", port: 0 });
});

for (const text of [
  "10.0.0.1",
  "10.0.0.1:",
  "10.0.0.1:65536",
  ":80",
  "2001:db8::1:80",
  "[10.0.0.1]:80",
  "[::1]",
  "host:80",
  "[::1]:80x",
]) {
  test(`${text} is no endpoint`, () => expect(() => endpoint(text)).toThrow("Expected ADDRESS:PORT"));
}
