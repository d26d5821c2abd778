import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { fateOf } from "./exits.ts";

test("every exit of the data path has the fate under which bpf/abi.h lists it", () => {
  const body = /enum exit_reason \{([^}]*)EXIT_REASONS/.exec(readFileSync("bpf/abi.h", "utf8"))![1]!;
  const fates: Record<string, string> = {};
  let heading = "";
  for (const line of body.split("\n")) {
    heading = /^\s*\/\* (\w+)/.exec(line)?.[1] ?? heading;
    const reason = /^\s*EXIT_(\w+),/.exec(line)?.[1];
    if (reason !== undefined) fates[reason.toLowerCase().replaceAll("_", "-")] = heading;
  }
  const names: Record<string, string> = { forwarded: "forwarded", passed: "not", dropped: "dropped" };
  expect(Object.keys(fates).length).toBeGreaterThan(20);
  expect(fates).toEqual(Object.fromEntries(Object.keys(fates).map((reason) => [reason, names[fateOf(reason)]])));
});
