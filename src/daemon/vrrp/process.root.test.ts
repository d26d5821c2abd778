import { spawn } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseText } from "../../config/parse.ts";
import type { VrrpConfig } from "../../vrrp/config.ts";
import { fromConfig } from "./from-config.ts";
import type { Order, Report } from "./process.ts";
import { has, openStage, type Stage, until } from "./testing/nodes.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.remove());

const configOf = (vip: string): VrrpConfig =>
  fromConfig(
    parseText(`vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  version 3
  advert_int 0.1
  virtual_ipaddress {
    ${vip}/32
  }
}`).config,
  );

test("a parent configures its process by messages, hears of changes, and takes the addresses along when it goes", async () => {
  const args = [`--net=/run/netns/${stage.a}`, process.execPath, stage.program];
  const child = spawn("nsenter", args, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const ended = new Promise((done) => child.once("exit", done));
  try {
    const heard: Report[] = [];
    child.on("message", (report: Report) => heard.push(report));
    const send = (order: Order): void => void child.send(order);
    const words = (): string[] => heard.flatMap((r) => (r.type === "event" ? [r.event.word] : []));
    send({ type: "configure", config: configOf("10.9.0.100") });
    await until("it leads", () => words().includes("MASTER"));
    expect(words()).toEqual(["BACKUP", "MASTER"]);
    expect(has(stage.a, "10.9.0.100")).toBe(true);
    send({ type: "configure", config: {} as VrrpConfig });
    await until("what is no configuration is refused", () => heard.some((r) => r.type === "failed"));
    send({ type: "configure", config: configOf("10.9.0.101") });
    await until("the address has changed", () => has(stage.a, "10.9.0.101") && !has(stage.a, "10.9.0.100"));
    send({ type: "status" });
    await until("it answers", () => heard.some((r) => r.type === "status"));
    const status = heard.find((r) => r.type === "status");
    expect(status).toMatchObject({ instances: [{ name: "VI_1", state: "MASTER", isHolding: true, addresses: ["10.9.0.101"] }] });
    child.disconnect();
    expect(await ended).toBe(0);
    expect(has(stage.a, "10.9.0.101")).toBe(false);
  } finally {
    if (child.exitCode === null) child.kill("SIGKILL");
  }
});
