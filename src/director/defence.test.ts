import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { evaluate } from "./defence.ts";
import { defaultSettings } from "./settings.ts";

const at = (settings: Readonly<Record<string, string>>, pages: number) =>
  evaluate(
    (name) => ({ ...defaultSettings, ...settings })[name] ?? "",
    () => pages,
  );
const off = { dropEntry: false, dropRate: 0, secureTcp: false };

describe("the defences (spec 7.2)", () => {
  test.each([
    ["0", 100, false, []],
    ["1", 100, true, [["drop_entry", "2"]]],
    ["2", 100, true, []],
    ["3", 100, true, []],
    ["0", 2000, false, []],
    ["1", 2000, false, []],
    ["2", 2000, false, [["drop_entry", "1"]]],
    ["3", 2000, true, []],
  ] as const)("drop_entry in mode %s with %i pages left", (mode, pages, dropEntry, modes) => {
    expect(at({ drop_entry: mode }, pages)).toEqual({ defence: { ...off, dropEntry }, modes });
  });

  test("drop_packet drops more the shorter memory is, and in mode 3 as it is told", () => {
    expect(at({ drop_packet: "1" }, 1023).defence.dropRate).toBe(1024);
    expect(at({ drop_packet: "1" }, 512).defence.dropRate).toBe(2);
    expect(at({ drop_packet: "2" }, 0).defence.dropRate).toBe(1);
    expect(at({ drop_packet: "2" }, 1024)).toEqual({ defence: off, modes: [["drop_packet", "1"]] });
    expect(at({ drop_packet: "3", am_droprate: "7" }, 0).defence.dropRate).toBe(7);
  });

  test("each follows its own mode", () => {
    expect(at({ drop_entry: "1", drop_packet: "0", secure_tcp: "2" }, 10)).toEqual({
      defence: { dropEntry: true, dropRate: 0, secureTcp: true },
      modes: [["drop_entry", "2"]],
    });
  });

  test("a threshold below 0 is one of 0: memory is never short", () => {
    expect(at({ drop_entry: "2", amemthresh: "-5" }, 0)).toEqual({ defence: off, modes: [["drop_entry", "1"]] });
  });

  test("the memory is not asked for when nothing follows it", () => {
    const asked = () => {
      throw new Error("asked");
    };
    expect(evaluate((name) => ({ ...defaultSettings, secure_tcp: "3" })[name] ?? "", asked).defence.secureTcp).toBe(true);
  });

  test("after the modes have been written back there is nothing more to write", () => {
    const mode = fc.constantFrom("0", "1", "2", "3");
    fc.assert(
      fc.property(fc.record({ drop_entry: mode, drop_packet: mode, secure_tcp: mode }), fc.nat(3000), (settings, pages) => {
        const first = at(settings, pages);
        const second = at({ ...settings, ...Object.fromEntries(first.modes) }, pages);
        expect(second).toEqual({ defence: first.defence, modes: [] });
      }),
    );
  });
});
