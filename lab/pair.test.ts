import { expect, test } from "vitest";
import { withLab } from "./lab.ts";
import { missing } from "./needs.ts";
import { ownersOf } from "./pair.ts";
import { breakage, breakageText, type Try } from "./pulse.ts";
import { pair, VIPS } from "./topologies/pair.ts";

/** What the tests of director pairs measure with. */

test.skipIf(missing() !== undefined)(`all who answer for an address are seen (${missing() ?? "here"})`, async () => {
  await withLab(pair, async (lab) => {
    const [first, second] = [lab.hosts.d1, lab.hosts.d2];
    expect(await ownersOf(lab, VIPS[0])).toEqual([]);
    await first.run(`ip address add ${VIPS[0]}/32 dev front`);
    expect(await ownersOf(lab, VIPS[0])).toEqual(["d1"]);
    await second.run(`ip address add ${VIPS[0]}/32 dev front`);
    expect(await ownersOf(lab, VIPS[0])).toEqual(["d1", "d2"]);
  });
});

test("a gap is the longest time without an answer, also at the ends", () => {
  const good = (begun: number): Try => ({ begun, ended: begun + 1, answer: "rs1", error: undefined });
  const bad = (begun: number): Try => ({ begun, ended: begun + 1000, answer: undefined, error: "timeout" });
  expect(breakage([good(0), good(10), bad(20), bad(30), good(500), good(510)]).gap).toBe(490);
  expect(breakage([bad(0), good(300), good(310)]).gap).toBe(301);
  expect(breakage([good(0), bad(10)]).gap).toBe(1009);
  expect(breakage([good(0), bad(10), good(20), good(600)], 10, 600)).toMatchObject({ tries: 2, broken: 1, gap: 11 });
  expect(breakageText(breakage([good(0), bad(10)]))).toBe("2 connections, 1 broken (timeout 1), longest gap 1009 ms");
});
