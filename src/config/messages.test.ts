import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { messagesPage, ours, theirsIn } from "./messages.ts";
import { parseText } from "./parse.ts";
import { fileWith, GOOD, typos } from "./typos.ts";

const PAGE = new URL("../../docs/messages.md", import.meta.url).pathname;
const page = existsSync(PAGE) ? readFileSync(PAGE, "utf8") : "";

test("the good file is good", () => {
  expect(parseText(GOOD).problems).toEqual([]);
});

test.each(typos)("$what is told once, at its place, with a caret", (typo) => {
  expect(GOOD).toContain(typo.from);
  const { problems } = parseText(fileWith(typo), {
    facts: { interfaces: new Set(["lo", "eth0"]), script: (path) => (path === "/bin/true" ? "ok" : "missing") },
  });
  const told = problems.filter(({ kind }) => kind !== "security");
  // One brace is one slip, and so is one word: what follows from it is not told.
  expect(told.length).toBeLessThanOrEqual(/too many/.test(typo.what) && /brace/.test(typo.what) ? 2 : 1);
  expect(told[0]?.severity).toBe("error");
  expect(ours(typo)).toMatch(/\n\s*\^/);
});

test("the page of messages is what is said", () => {
  const wanted = messagesPage(theirsIn(page));
  if (process.env.UPDATE_DOCS === "1") writeFileSync(PAGE, wanted);
  else expect(page).toBe(wanted);
});
