import { execFileSync, spawn } from "node:child_process";
import { describe, expect, test } from "vitest";
import { missing, ROOT } from "./needs.ts";
import { listNamespaces, sweepLeftovers } from "./remains.ts";
import { until } from "./until.ts";

const reason = missing("build/hold.mjs", "bin/lvsd", "bin/lvsctl");

describe.skipIf(reason !== undefined)(`a held lab (${reason ?? "here"})`, () => {
  test("says how to enter each host, and serves what it says to type", async () => {
    const held = await hold();
    const typed = held.output().match(/ipvsadm -[Aa] .*/g) ?? [];
    const on = (host: string, line: string) =>
      execFileSync("nsenter", [`--net=/run/netns/lvsd-${held.child.pid}-1-${host}`, "sh", "-c", line], { encoding: "utf8" });
    for (const line of typed) on("director", `${ROOT}bin/${line}`);
    expect(on("client", "for i in 1 2 3; do curl -sS --max-time 5 http://10.1.0.100/; done")).toBe("rs3\nrs2\nrs1\n");
    held.child.kill("SIGTERM");
    await until("its end", () => held.child.exitCode !== null);
    for (const host of ["client", "director", "rs1", "rs2", "rs3"]) {
      expect(held.output()).toMatch(
        new RegExp(`^  ${host} +nsenter --net=/run/netns/lvsd-${held.child.pid}-1-${host} bash$`, "m"),
      );
    }
  });

  test("of a pair of directors says what to type, and has one master of each VIP", async () => {
    const held = await hold("pair");
    const vrrp = (host: string) =>
      execFileSync("nsenter", [`--net=/run/netns/lvsd-${held.child.pid}-1-${host}`, `${ROOT}bin/lvsctl`, "vrrp"], {
        encoding: "utf8",
      });
    expect(held.output()).toContain("lvsctl vrrp");
    await until("masters", () => /VI_51 +MASTER/.test(vrrp("d1")) && /VI_52 +MASTER/.test(vrrp("d2")));
    expect([vrrp("d1"), vrrp("d2")]).toEqual([expect.stringMatching(/VI_52 +BACKUP/), expect.stringMatching(/VI_51 +BACKUP/)]);
    held.child.kill("SIGTERM");
    await until("its end", () => held.child.exitCode !== null, 20_000);
    expect(held.namespaces()).toEqual([]);
  });

  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGHUP", 129],
  ] as const) {
    test(`is gone after ${signal}`, async () => {
      const { child, namespaces } = await hold();
      expect(namespaces()).not.toEqual([]);
      child.kill(signal);
      await until("its end", () => child.exitCode !== null);
      expect(child.exitCode).toBe(code);
      expect(namespaces()).toEqual([]);
    });
  }

  test("that was killed -9 is gone after the next run", async () => {
    const { child, namespaces } = await hold();
    child.kill("SIGKILL");
    await until("its end", () => child.signalCode !== null);
    expect(namespaces()).not.toEqual([]);
    sweepLeftovers(); // which is how every lab starts
    expect(namespaces()).toEqual([]);
  });

  async function hold(name = "nat") {
    const child = spawn(process.execPath, [`${ROOT}build/hold.mjs`, name], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, NO_COLOR: "1" },
    });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    await until("the lab", () => output.includes("Ctrl-C"));
    return {
      child,
      output: () => output,
      namespaces: () => listNamespaces().filter((name) => name.startsWith(`lvsd-${child.pid}-`)),
    };
  }
});
