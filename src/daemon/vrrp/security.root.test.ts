import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseText } from "../../config/parse.ts";
import type { Script } from "../../vrrp/config.ts";
import { fromConfig } from "./from-config.ts";
import { judgeFile, type Verdict, withoutBadScripts } from "./security.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync("/root/.lvsd-scripts-"); // a folder that only root may write to, all the way up
});
afterAll(() => rmSync(folder, { recursive: true }));

function script(name: string, mode: number, owner = 0): Script {
  const path = join(folder, name);
  writeFileSync(path, "#!/bin/sh\n");
  chownSync(path, owner, 0);
  chmodSync(path, mode);
  return { command: [path], user: undefined, group: undefined };
}

const cases: [name: string, verdict: Verdict, make: () => Script][] = [
  ["one of root's own", "ok", () => script("own", 0o755)],
  ["one that all may write", "unsafe", () => script("loose", 0o777)],
  ["one that belongs to somebody else", "unsafe", () => script("foreign", 0o755, 12345)],
  ["the same, run as somebody else", "ok", () => ({ ...script("foreign", 0o755, 12345), user: "12345" })],
  ["one without the right to run", "not-executable", () => script("plain", 0o644)],
  ["one that is not there", "missing", () => ({ command: [join(folder, "none")], user: undefined, group: undefined })],
  ["one in PATH", "ok", () => ({ command: ["true"], user: undefined, group: undefined })],
];
for (const [name, verdict, make] of cases) test(`${name} is ${verdict}`, () => expect(judgeFile(make())).toBe(verdict));

const read = (globals: string) =>
  fromConfig(
    parseText(`global_defs {
  ${globals}
}
vrrp_script s {
  script /bin/bad
}
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  notify_master /bin/bad
  notify_backup /bin/good
  track_script {
    s
  }
  virtual_ipaddress {
    10.0.0.1
  }
}`).config,
  );
const judge = (verdict: Verdict) => (s: Script) => (s.command[0] === "/bin/bad" ? verdict : "ok");

test("a bad script is taken out wherever it is used, and nothing else is", () => {
  const { config, lines } = withoutBadScripts(read("enable_script_security"), judge("unsafe"));
  expect(config.scripts).toEqual([]);
  expect(config.instances[0]).toMatchObject({
    track: { scripts: [] },
    notify: { master: undefined, backup: { command: ["/bin/good"] } },
  });
  expect(lines).toEqual(["Unsafe permissions found for script '/bin/bad' - disabling.", "Disabling track script s"]);
});

test("without script security an unsafe script runs, with a warning", () => {
  const before = read("");
  const { config, lines } = withoutBadScripts(before, judge("unsafe"));
  expect(config).toEqual(before);
  expect(lines).toEqual(["SECURITY VIOLATION - scripts are being executed but script_security not enabled."]);
});
