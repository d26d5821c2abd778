import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { documentConfig } from "./docs.ts";
import { root } from "./keywords.ts";
import type { Settings } from "./table.ts";

const PAGE = new URL("../../docs/keepalived.conf.md", import.meta.url).pathname;

test("the committed manual is what the keyword table says", () => {
  if (process.env.UPDATE_DOCS === "1") writeFileSync(PAGE, documentConfig());
  expect(existsSync(PAGE) ? readFileSync(PAGE, "utf8") : "").toBe(documentConfig());
});

test("every keyword is described in a sentence", () => {
  const bad: string[] = [];
  const walk = (settings: Settings): void => {
    for (const setting of Object.values(settings)) {
      if (!/^[A-Z].*\.$/.test(setting.doc)) bad.push(setting.word);
      if (setting.reader.kind === "block") walk(setting.reader.spec.settings);
    }
  };
  walk(root.settings as Settings);
  expect(bad).toEqual([]);
});
