import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { mutate, numbers } from "./corpus.ts";
import { formatConfig } from "./format.ts";
import { parseText } from "./parse.ts";

const CASES = new URL("../../cases/keepalived/", import.meta.url).pathname;
const files = readdirSync(CASES).filter((name) => name.endsWith(".conf"));
const read = (name: string): string => readFileSync(`${CASES}${name}`, "utf8");

/** What a text says, without where. */
const said = (text: string): string => {
  const { lines } = parseText(text, { configId: "left" });
  return lines.map((l) => (l.kind === "words" ? l.words.map((w) => w.text).join("\u0001") : l.kind)).join("\n");
};

describe("formatting", () => {
  test("sets one statement to a line and keeps comments", () => {
    expect(formatConfig("global_defs{router_id   a  # me\n\n\n!x\n smtp_alert}\n")).toBe(
      "global_defs { # me\n    router_id a\n\n    !x\n    smtp_alert\n}\n",
    );
  });

  test("joins a brace on its own line with its keyword", () => {
    expect(formatConfig("vrrp_instance VI\n{\ninterface eth0\n}")).toBe("vrrp_instance VI {\n    interface eth0\n}\n");
  });

  test("leaves conditions, generators, quotes and definitions as they are", () => {
    const text = '@left router_id "a  b"\n~SEQ(I, 1, 3) x $I { }\n$V= \\\n    a { \\\n        b \\\n    }\n$V\n';
    expect(formatConfig(text)).toBe(text);
  });

  test.each(files)("%s says the same afterwards, and formatting again changes nothing", (name) => {
    const once = formatConfig(read(name));
    expect(said(once)).toBe(said(read(name)));
    expect(formatConfig(once)).toBe(once);
  });

  test("mutated files say the same afterwards", () => {
    const random = numbers(5);
    const texts = files.map(read);
    for (let n = 0; n < 500; n++) {
      const text = mutate(texts[Math.floor(random() * texts.length)]!, random);
      const once = formatConfig(text);
      expect({ text, said: said(once) }).toEqual({ text, said: said(text) });
      expect(formatConfig(once)).toBe(once);
    }
  }, 60_000);
});
