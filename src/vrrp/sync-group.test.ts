import { expect, test } from "vitest";
import { follow, groupState, type Member } from "./sync-group.ts";

/** "inner:master outer:backup?" — a question mark: asks to lead; an exclamation mark: something of its own is down. */
const members = (text: string): Member[] =>
  text.split(" ").map((word) => {
    const [name = "", state = ""] = word.replace(/[?!]/, "").split(":");
    return { name, state: state as Member["state"], isAsking: word.endsWith("?"), isFaulty: word.endsWith("!") };
  });

const cases: [name: string, before: string, changed: string, orders: string][] = [
  ["a member that fails takes the others along", "i:fault! o:master", "i", "o down"],
  ["a failure that is known already tells nobody", "i:fault! o:fault", "i", ""],
  ["when the last failure is over all come up", "i:fault o:fault", "i", "i up, o up"],
  ["one that asks waits for the others", "i:backup? o:backup", "i", ""],
  ["when all ask all lead", "i:backup? o:backup?", "o", "i promote, o promote"],
  ["one that leads already takes those along that ask", "i:master o:backup?", "o", "o promote"],
  ["one that yields takes the others back", "i:backup o:master", "i", "o demote"],
  ["nothing is told when all lead", "i:master o:master", "i", ""],
];
for (const [name, before, changed, orders] of cases) {
  test(name, () => {
    const told = follow(members(before), changed);
    expect(told.map((o) => `${o.name} ${o.input.type}`).join(", ")).toBe(orders);
  });
}

test("a group is what its weakest member is", () => {
  expect(["i:master o:master", "i:master o:backup", "i:fault o:backup"].map((text) => groupState(members(text)))).toEqual([
    ...["master", "backup", "fault"],
  ]);
});
