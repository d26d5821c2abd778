import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { root } from "../../config/keywords.ts";
import { everySetting, type Settings } from "../../config/table.ts";
import { isUndone, undoneWords } from "./undone.ts";

/** Nothing is accepted and silently ignored: each word is read by a part that carries it out, or told. */

const SRC = new URL("../../", import.meta.url).pathname;

/** Files that only tell of words. */
const NOT_DOING = /^dump\/|testing|undone/;

/** All that carries out: the daemon's sources, and the two files of config that answer for it. */
const sources = [
  ...readdirSync(`${SRC}daemon`, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts") && !NOT_DOING.test(path))
    .map((path) => `daemon/${path}`),
  ...["config/settled.ts", "config/values.ts"],
]
  .map((path) => readFileSync(`${SRC}${path}`, "utf8").replaceAll(/^import [\s\S]*?;$|\/\*[\s\S]*?\*\/|\/\/.*$/gm, ""))
  .join("\n");

const isRead = (field: string): boolean => new RegExp(`(?:[.{,(\\[]|\\s|")${field}\\b(?!\\s*\\()`).test(sources);

/** Words that are carried out where this test does not look, and where. */
const ELSEWHERE: readonly (readonly [where: string, words: RegExp])[] = [
  ["the checks of the file are their whole meaning", /^(no_virtual_ipaddress|native_ipv6|dynamic_interfaces)$/],
  ["versionOf of config/checks, which the daemon asks", /^vrrp_version$/],
  ["the dumps, whose form and place they are", /^(json_version|data_use_instance|(state|stats|json)_dump_file)$/],
  [
    "tuner.ts, which makes their names of parts",
    /^((vrrp|checker|bfd)_(process_name|(rt_)?priority|rlimit_rttime|no_swap|cpu_affinity))$/,
  ],
];

const words = everySetting(root.settings as Settings);

test("every word of the table is read by the daemon, or told as not carried out", () => {
  expect(words.length).toBeGreaterThan(300);
  const silent = words.filter(({ field, setting, path }) => {
    const isTold = [setting, ...path].some(({ word, ignored }) => isUndone(word) || ignored !== undefined);
    return !isRead(field) && !isTold && !ELSEWHERE.some(([, those]) => those.test(setting.word));
  });
  expect(silent.map(({ setting, path }) => [...path, setting].map(({ word }) => word).join(" "))).toEqual([]);
});

test("no word is told as not carried out that the table does not have", () => {
  const known = new Set(words.flatMap(({ setting }) => [setting.word, ...(setting.aliases ?? [])]));
  const told = [...readFileSync(`${SRC}daemon/keepalived/undone.ts`, "utf8").matchAll(/"([a-z][a-z0-9_]+)"/g)].map(
    (found) => found[1]!,
  );
  expect(told.filter((word) => isUndone(word) && !known.has(word))).toEqual([]);
});

test("a word is told once, with its first place, and one without effect with the reason", () => {
  const line = (word: string, at: number) =>
    ({
      kind: "words",
      words: [{ text: word, column: 1, quoted: false }],
      text: word,
      file: "a.conf",
      line: at,
      column: 1,
    }) as const;
  const lines = [line("enable_dbus", 2), line("priority", 3), line("enable_dbus", 4), line("namespace_with_ipsets", 5)];
  expect(undoneWords({ lines })).toEqual([
    "a.conf:2: enable_dbus is read and not carried out",
    "a.conf:5: namespace_with_ipsets has no effect: we use no ipsets",
  ]);
});
