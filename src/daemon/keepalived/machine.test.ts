import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { thisMachine } from "./machine.ts";

test("this machine tells its addresses and the sysctls of its interfaces", () => {
  const { addresses, sysctls } = thisMachine.lintFacts();
  expect(addresses?.lo?.map(({ ip, length }) => `${ip}/${length}`)).toContain("127.0.0.1/8");
  expect(sysctls?.["net.ipv4.conf.lo.arp_ignore"]).toMatch(/^\d+$/);
  expect(sysctls?.["net.ipv4.conf.all.rp_filter"]).toMatch(/^\d+$/);
  expect(thisMachine.facts().interfaces?.has("lo")).toBe(true);
});

test("ports have the names of /etc/services, in their protocol", () => {
  expect(thisMachine.portOf("http", "tcp")).toBe(80);
  expect(thisMachine.portOf("domain", "udp")).toBe(53);
  expect(thisMachine.portOf("no-such-service", "tcp")).toBeUndefined();
});

test("a file is written whole, with the mode it had, through a link, and nothing is left beside it", () => {
  const folder = mkdtempSync(join(tmpdir(), "lvsd-machine-"));
  try {
    const path = join(folder, "keepalived.conf");
    writeFileSync(path, "before", { mode: 0o640 });
    symlinkSync("keepalived.conf", join(folder, "link"));
    thisMachine.write(join(folder, "link"), "after\n");
    expect(lstatSync(join(folder, "link")).isSymbolicLink()).toBe(true);
    expect(readFileSync(path, "utf8")).toBe("after\n");
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(readdirSync(folder)).toEqual(["keepalived.conf", "link"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
