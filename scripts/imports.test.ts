import { readdirSync, readFileSync } from "node:fs";
import { join, normalize } from "node:path";
import { expect, test } from "vitest";

/** Imports point inward. The rooms of src/, and which rooms each may import beside itself; `net`, `fault`, `version` and `tuning` are free to all. */
const table: Readonly<Record<string, readonly string[]>> = {
  fault: [],
  version: [],
  tuning: [],
  net: [],
  wire: [],
  sched: [],
  config: [],
  director: ["sched"],
  vrrp: ["wire", "sched", "director"],
  bfd: ["wire", "director"],
  health: ["wire", "sched", "director"],
  sync: ["wire", "sched", "director"],
  l7: ["wire", "sched", "director"],
  "director/model": ["wire", "sched", "director"],
  platform: [],
  "director/kernel": ["platform", "wire", "sched", "director"],
  "director/xdp": ["platform", "wire", "sched", "director"],
  cli: ["director", "config"],
  realserver: ["platform", "wire", "cli"],
};
const free = ["net", "fault", "version", "tuning"];
/** The one file outside src/, and who reads it. */
const manifest = { path: "package.json", reader: "version" };
/** `daemon` builds everything, so it may import everything. */
const unbounded = "daemon";
/** The one package that reaches the system's libraries. */
const onlyIn: Readonly<Record<string, string>> = { koffi: "platform" };

interface Import {
  readonly from: string;
  readonly target: string;
}

/** "src/director/xdp/maps.ts" is in the room director/xdp, "src/director/director.ts" in director. */
function roomOf(path: string): string {
  const parts = path.replace(/^src\//, "").split("/");
  if (parts.length === 1) return parts[0]!.replace(/\.ts$/, "");
  return parts[0] === "director" && parts.length > 2 ? `director/${parts[1]}` : parts[0]!;
}

/** What stands between the quotes of `import … from "…"`, `export … from "…"`, `import "…"` and `import("…")`. */
const specifiers = (source: string): string[] =>
  [
    ...source.matchAll(
      /(?:^|\n)\s*(?:import|export)\b[^"';]*?\bfrom\s*"([^"]+)"|(?:^|\n)\s*import\s*"([^"]+)"|\bimport\(\s*"([^"]+)"/g,
    ),
  ].map((found) => (found[1] ?? found[2] ?? found[3])!);

/** Why an import is not allowed, or undefined. */
function objection({ from, target }: Import): string | undefined {
  const room = roomOf(from);
  const only = onlyIn[target];
  if (only !== undefined && room !== only) return `${from} imports ${target}, which only ${only} may`;
  if (!target.startsWith(".")) return undefined;
  const path = normalize(join(from, "..", target));
  if (path === manifest.path && room === manifest.reader) return undefined;
  if (!path.startsWith("src/")) return `${from} imports ${path}, which is outside src`;
  const other = roomOf(path);
  if (room === other || room === unbounded || free.includes(other)) return undefined;
  const allowed = table[room];
  if (allowed === undefined) return `${from} is in the room ${room}, which has no row in the table`;
  return allowed.includes(other) ? undefined : `${from} imports ${path}: ${room} may not import ${other}`;
}

test("imports in src/ point inward", () => {
  const sources = readdirSync("src", { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .map((path) => join("src", path));
  const imports = sources.flatMap((from) => specifiers(readFileSync(from, "utf8")).map((target) => ({ from, target })));
  expect(imports.length).toBeGreaterThan(0);
  expect(imports.map(objection).filter((line) => line !== undefined)).toEqual([]);
});

test("every form of import is seen", () => {
  const source = [
    'import { a } from "./a.ts";',
    'import {\n  b,\n  type B,\n} from "./b.ts";',
    'export type { C } from "./c.ts";',
    'import "./d.ts";',
    'const e = await import("./e.ts");',
    'export const f = 1;\nimport g from "./g.ts";',
  ].join("\n");
  expect(specifiers(source)).toEqual(["./a.ts", "./b.ts", "./c.ts", "./d.ts", "./e.ts", "./g.ts"]);
});

const cases: [from: string, target: string, allowed: boolean][] = [
  ["src/net/ip.ts", "node:net", true],
  ["src/net/ip.ts", "../fault.ts", true],
  ["src/wire/ipv4.ts", "../net/ip.ts", true],
  ["src/wire/ipv4.ts", "../sched/rr.ts", false],
  ["src/director/xdp/maps.ts", "../director.ts", true],
  ["src/director/xdp/maps.ts", "../model/model.ts", false],
  ["src/director/xdp/maps.ts", "../../daemon/api.ts", false],
  ["src/cli/client.ts", "../director/director.ts", true],
  ["src/cli/lvsctl/top.ts", "../../director/xdp/types.ts", false],
  ["src/cli/client.ts", "koffi", false],
  ["src/platform/libc.ts", "koffi", true],
  ["src/daemon/lvsd.ts", "../cli/client.ts", true],
  ["src/elsewhere/a.ts", "../wire/ipv4.ts", false],
  ["src/daemon/lvsd.ts", "../../lab/demo.ts", false],
  ["src/version.ts", "../package.json", true],
  ["src/daemon/lvsd.ts", "../../package.json", false],
];

for (const [from, target, allowed] of cases) {
  test(`${from} ${allowed ? "may" : "may not"} import ${target}`, () => {
    expect(objection({ from, target }) === undefined).toBe(allowed);
  });
}
