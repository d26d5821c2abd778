import { expect, test } from "vitest";
import { script, server, service } from "../../health/testing.ts";
import type { Verdict } from "../vrrp/security.ts";
import { withoutBadScripts } from "./secure.ts";

const misc = (name: string) => {
  const probe = { type: "MISC_CHECK", script: script(name), timeout: 1000, dynamic: false, weight: 1 } as const;
  return { ...server(11).checks[0]!, type: "MISC_CHECK" as const, probe };
};
const verdicts: Record<string, Verdict> = {
  gained: "missing",
  lost: "ok",
  up11: "unsafe",
  down11: "not-executable",
  bad: "unsafe",
  good: "ok",
};
const config = (scriptSecurity: boolean) => ({
  ...{ services: [service({ servers: [server(11, { checks: [misc("bad"), misc("good")] })] })], tls: {}, initNotifies: false },
  scriptSecurity,
});
const secured = (isStrict: boolean) => {
  const { config: left, lines } = withoutBadScripts(config(isStrict), ({ command }) => verdicts[command[0]!]!);
  const [s] = left.services;
  const [first] = s!.servers;
  return {
    lines,
    left: [s?.quorumUp, s?.quorumDown, first?.notifyUp, first?.notifyDown].map((x) => x?.command[0]),
    checks: first?.checks.length,
  };
};

test("scripts that are not there or may not be run are taken out, each with a line", () => {
  const { lines, left, checks } = secured(false);
  expect(left).toEqual([undefined, "lost", "up11", undefined]);
  expect(checks).toBe(2);
  expect([...lines].sort()).toEqual([
    "SECURITY VIOLATION - scripts are being executed but script_security not enabled.",
    "Script 'gained' not found/accessible - disabling.",
    "WARNING - script 'down11' is not executable - disabling.",
  ]);
});

test("with enable_script_security those that others may write to are taken out too, checks as well", () => {
  const { lines, left, checks } = secured(true);
  expect(left).toEqual([undefined, "lost", undefined, undefined]);
  expect(checks).toBe(1);
  expect(lines).toContain("Unsafe permissions found for script 'bad' - disabling.");
});
