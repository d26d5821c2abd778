import { expect, test } from "vitest";
import type { Operation, Refusal } from "../director/director.ts";
import { applyForgiving } from "./forgiving.ts";
import { dest, spec } from "./testing.ts";

const { key } = spec;

/** A table with one dest, which refuses as the kernel does, all or nothing. */
function table(...there: string[]): { apply(list: readonly Operation[]): readonly Refusal[]; done: string[] } {
  const done: string[] = [];
  const wrong = (o: Operation): string | undefined => {
    const has = "dest" in o && there.includes(o.dest.addr);
    if (o.op === "add-dest") return has ? "EEXIST" : undefined;
    if (o.op === "edit-dest" || o.op === "delete-dest") return has ? undefined : "ENOENT";
    return "EINVAL";
  };
  return {
    done,
    apply(list) {
      const refusals = list.flatMap((o, index) => {
        const code = wrong(o);
        return code === undefined ? [] : [{ index, code, message: code }];
      });
      if (refusals.length === 0) done.push(...list.map((o) => `${o.op} ${"dest" in o ? o.dest.addr : ""}`.trim()));
      return refusals;
    },
  };
}

test("an address that is in the pool already, and one that is gone from it, are as wanted", () => {
  const done: string[] = [];
  const director = {
    apply: (list: readonly Operation[]): readonly Refusal[] => {
      const wrong = list.flatMap(({ op }, index) =>
        op === "zero" ? [] : [{ index, code: op === "add-laddr" ? "EEXIST" : "ENOENT", message: "" }],
      );
      if (wrong.length === 0) done.push(...list.map(({ op }) => op));
      return wrong;
    },
  };
  const addr = dest("10.0.0.1").addr;
  const list: Operation[] = [{ op: "add-laddr", key, addr }, { op: "delete-laddr", key, addr }, { op: "zero" }];
  expect(applyForgiving(director, list)).toEqual([]);
  expect(done).toEqual(["zero"]);
});

test("what is there is edited, what is not there is added, what is gone is left alone, and the rest is reported", () => {
  const director = table("10.0.0.1", "10.0.0.4");
  const refusals = applyForgiving(director, [
    { op: "add-dest", key, dest: dest("10.0.0.1") },
    { op: "edit-dest", key, dest: dest("10.0.0.2") },
    { op: "delete-dest", key, dest: dest("10.0.0.3") },
    { op: "flush" },
    { op: "delete-dest", key, dest: dest("10.0.0.4") },
  ]);
  expect(director.done).toEqual(["edit-dest 10.0.0.1", "add-dest 10.0.0.2", "delete-dest 10.0.0.4"]);
  expect(refusals.map((r) => [r.index, r.code])).toEqual([[3, "EINVAL"]]);
});
