import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import { fileOf } from "./corpus.ts";
import type { KeepalivedConfig } from "./keywords.ts";
import { parseText } from "./parse.ts";
import { showConfig, shownValues } from "./show.ts";

/** Values alone: where they stand, and what was wrong, is left out. */
const ABOUT = ["origin", "origins", "failed", "misspelt"];
const valuesOf = (config: KeepalivedConfig): unknown =>
  JSON.parse(JSON.stringify(config, (key, value) => (ABOUT.includes(key) ? undefined : (value as unknown))));

const accepted = readFileSync(new URL("../../cases/keepalived/verdicts.txt", import.meta.url), "utf8")
  .split("\n")
  .flatMap((row) => (row.startsWith("accept\t") ? [row.slice("accept\t".length)] : []));

describe("showing", () => {
  test("tells each value with its file and line", () => {
    const text =
      "vrrp_instance VI {\n interface eth0\n virtual_router_id 5\n virtual_ipaddress { 10.0.0.1/24 dev eth1 }\n nopreempt\n}\n";
    expect(showConfig(parseText(text, {}, "a.conf").config).replace(/ +#/g, " #")).toBe(
      [
        "vrrp_instance VI { # a.conf:1",
        "    interface eth0 # a.conf:2",
        "    virtual_router_id 5 # a.conf:3",
        "    virtual_ipaddress { # a.conf:4",
        "        10.0.0.1/24 dev eth1 # a.conf:4",
        "    }",
        "    nopreempt # a.conf:5",
        "}",
        "",
      ].join("\n"),
    );
  });

  test("with defaults it also tells what nobody wrote", () => {
    const { config } = parseText("bfd_instance B {\n neighbor_ip 10.0.0.1\n}\n");
    expect(showConfig(config, { defaults: true })).toMatch(/multiplier 5 +# default/);
  });

  test("for programs it is a list of values", () => {
    const { config } = parseText("vrrp_instance VI {\n interface eth0\n priority 7\n}\n", {}, "a.conf");
    expect(shownValues(config)).toContainEqual({ path: ["vrrp_instance VI", "priority"], value: 7, from: "a.conf:3" });
    expect(shownValues(config, { defaults: true })).toContainEqual({
      path: ["vrrp_instance VI", "advert_int"],
      value: 1,
      from: "default",
    });
  });

  test(`gives a file of the same values, for each of ${accepted.length} lines that keepalived accepts`, () => {
    const wrong = accepted.filter((row) => {
      const { config } = parseText(fileOf(row));
      const again = parseText(showConfig(config));
      return !isDeepStrictEqual(valuesOf(again.config), valuesOf(config));
    });
    expect(wrong).toEqual([]);
  });

  test("of a reference to an environment or a definition shows what it became", () => {
    const { config } = parseText("$P=150\nvrrp_instance VI {\n interface eth0\n priority $P\n}\n");
    expect(showConfig(config)).toContain("priority 150");
  });
});
