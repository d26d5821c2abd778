import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { ip, openStage, owners, type Stage, until } from "./testing/nodes.ts";

/** Unicast between two of ours: without an interface, and with a source address that comes late. */

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterEach(() => stage.clear());
afterAll(() => stage.remove());

const VIP = "10.9.0.100";
const conf = (priority: number, own: string, peer: string, words = ""): string => `
vrrp_instance VI_1 {
  virtual_router_id 51
  priority ${priority}
  version 3
  advert_int 0.1
  ${words}
  unicast_src_ip ${own}
  unicast_peer {
    ${peer}
  }
  virtual_ipaddress {
    ${VIP}/32 dev eth0
  }
}
`;

test("an instance without an interface sends by the route to its peer, and hears it", async () => {
  const low = stage.start("ours", stage.b, conf(100, "10.9.0.2", "10.9.0.1"));
  const high = stage.start("ours", stage.a, conf(150, "10.9.0.1", "10.9.0.2"));
  await until("the better one leads", () => owners(stage, VIP).join() === stage.a);
  await delay(600);
  expect((await low.status())[0]).toMatchObject({ state: "BACKUP", master: { from: "10.9.0.1", priority: 150 }, troubles: [] });
  await high.stop();
  await until("the other one leads", () => owners(stage, VIP).join() === stage.b);
});

test("a source address that is not there is a fault until it comes", async () => {
  const node = stage.start("ours", stage.a, conf(150, "10.9.0.7", "10.9.0.2"));
  await until("it says so", () => node.log().includes("(VI_1) entering FAULT state (no IPv4 address for interface)"));
  ip("-n", stage.a, "address", "add", "10.9.0.7/24", "dev", "eth0");
  await until("it leads", () => owners(stage, VIP).join() === stage.a);
  expect((await node.status())[0]!.source).toBe("10.9.0.7");
});

test("who is not a peer is refused when that is checked, and told of", async () => {
  const stranger = stage.start("ours", stage.b, conf(200, "10.9.0.2", "10.9.0.1"));
  const node = stage.start("ours", stage.a, conf(150, "10.9.0.1", "10.9.0.3", "check_unicast_src"));
  await until("both lead", () => owners(stage, VIP).length === 2);
  await until("it is told", () => node.log().includes("split brain: 10.9.0.2 is master too"));
  expect((await node.status())[0]!.troubles).toMatchObject([{ peer: "10.9.0.2", field: "peer", expected: "10.9.0.3" }]);
  expect((await stranger.status())[0]!.state).toBe("MASTER");
});
