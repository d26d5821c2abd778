import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseConfig } from "../../config/parse.ts";
import { describe as line } from "../../config/source.ts";
import { diskFiles } from "./files.ts";
import { fits, signsOf } from "./wildcard.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lvsd-files-"));
  mkdirSync(join(folder, "d"));
  symlinkSync(".", join(folder, "again"));
  symlinkSync("loop", join(folder, "loop"));
  execFileSync("mkfifo", [join(folder, "fifo")]);
  for (const name of ["a.conf", "b.conf", ".hidden.conf"]) writeFileSync(join(folder, name), `# ${name}\n`);
  writeFileSync(join(folder, "run.conf"), "# a program\n");
  chmodSync(join(folder, "run.conf"), 0o755);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What is told of a main file with this text. */
function told(text: string): string[] {
  const path = join(folder, "main.conf");
  writeFileSync(path, text);
  const { problems } = parseConfig(path, diskFiles);
  return problems.map((problem) => line(problem).replaceAll(`${folder}/`, ""));
}

describe("the files of this machine", () => {
  test.each([
    ["fifo", "'fifo' is not a plain file, skipped"],
    ["d", "'d' is not a plain file, skipped"],
    ["/dev/zero", "'/dev/zero' is not a plain file, skipped"],
    ["run.conf", "'run.conf' is not a plain file, skipped"],
    ["loop", "no file matches 'loop'"],
    ["none", "no file matches 'none'"],
    ["main.conf", "'main.conf' includes itself, skipped"],
  ])("include %s is told, and nothing waits", (what, said) => {
    expect(told(`include ${what}\n`)).toEqual([`main.conf:1: warning: ${said}`]);
  });

  test("a name that is too long is no file", () => {
    expect(told(`include ${"x".repeat(900)}/${"y".repeat(90)}\n`)[0]).toMatch(/warning: no file matches/);
    expect(diskFiles.glob(`${"x".repeat(10_000)}*`)).toEqual([]);
    expect(diskFiles.isSkipped?.("x".repeat(10_000))).toBe(false);
  });

  test("a FIFO, a device and a file of a terabyte have no text, and are not waited for", () => {
    writeFileSync(join(folder, "huge"), "");
    truncateSync(join(folder, "huge"), 2 ** 40);
    for (const name of [join(folder, "fifo"), join(folder, "huge"), "/dev/zero", folder])
      expect(diskFiles.read(name)).toBeUndefined();
  });

  test("a folder that contains itself by a link ends at the depth of includes", () => {
    rmSync(join(folder, "main.conf"), { force: true });
    writeFileSync(join(folder, "d", "one.conf"), "include ../again/d/*.conf\n");
    expect(told("include d/*.conf\n")).toHaveLength(1);
  });

  test("patterns that mean everything end", () => {
    const started = performance.now();
    diskFiles.glob("/*/*/*/*/*/*/*");
    diskFiles.glob(`/${"{a,b}".repeat(40)}`);
    diskFiles.glob("/proc/*/{fd,task,ns}/*/*/*");
    expect(performance.now() - started).toBeLessThan(20_000);
  }, 60_000);

  test("wildcards and braces find files, sorted, and hidden ones only by name", () => {
    const found = (pattern: string) => diskFiles.glob(join(folder, pattern)).map((path) => path.slice(folder.length + 1));
    expect(found("[ab].conf")).toEqual(["a.conf", "b.conf"]);
    expect(found("[!b].conf")).toEqual(["a.conf"]);
    expect(found(".*.conf")).toEqual([".hidden.conf"]);
    expect(found("{b,a}.conf")).toEqual(["b.conf", "a.conf"]);
    expect(found("again/?.conf")).toEqual(["again/a.conf", "again/b.conf"]);
  });
});

test.each([
  ["*", "", true],
  ["a*c", "abbbc", true],
  ["a*c", "abbbcd", false],
  ["*.conf", "x.conf", true],
  ["?", "é", true],
  ["[a-c]x", "bx", true],
  ["[!a-c]x", "bx", false],
  ["[]]", "]", true],
  ["[z-a]", "m", false],
  ["a[", "a[", true],
  [`${"*a".repeat(100)}b`, "a".repeat(250), false],
])("the pattern %s and the name %s: %s", (pattern, name, does) => {
  expect(fits(signsOf(pattern), name)).toBe(does);
});
