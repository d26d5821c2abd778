import { mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Conn, ServiceSpec } from "../director/director.ts";
import { Fault } from "../fault.ts";
import { ip } from "../net/ip.ts";
import { connect, NoDaemon, socketPath } from "./client.ts";
import { fakeClient, serveFake } from "./testing.ts";

let folder: string;
let servers: Server[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lvsd-client-"));
  servers = [];
});
afterEach(async () => {
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  rmSync(folder, { recursive: true });
});

const service: ServiceSpec = {
  key: { fwmark: 7, family: "ipv6" },
  scheduler: "rr",
  schedFlags: [],
  persistSeconds: 0,
  netmask: 128,
  onePacket: false,
  pe: "",
};
const conn: Conn = {
  protocol: "tcp",
  client: { addr: ip("10.1.0.3"), port: 2009 },
  virtual: { addr: ip("10.1.0.100"), port: 80 },
  dest: { addr: ip("10.2.0.11"), port: 8080 },
  method: "nat",
  state: "ESTABLISHED",
  expiresIn: 898,
  active: true,
  template: false,
  fwmark: 0,
};

test("what is asked over the socket is what the director holds", async () => {
  const fake = fakeClient();
  const path = join(folder, "s");
  servers.push(await serveFake(fake, path));
  const client = connect(path);
  expect(await client.apply([{ op: "add-service", service }])).toEqual([]);
  expect(await client.apply([{ op: "add-service", service }])).toMatchObject([{ index: 0, code: "EEXIST" }]);
  expect(await client.services()).toEqual(await fake.services());
  expect(await client.services({ fwmark: 7, family: "ipv6" })).toHaveLength(1);
  expect(await client.services({ fwmark: 7, family: "ipv4" })).toEqual([]);
  expect(await client.info()).toEqual({ version: 0x010201, connTableSize: 4096 });
  expect(await client.timeouts()).toEqual({ tcp: 900, tcpFin: 120, udp: 300 });
  expect(await client.daemons()).toEqual([]);
  expect(await client.settings()).toEqual(await fake.settings());
});

test("conns come whole, however they are cut on the way", async () => {
  const text = [1, 2, 3].map((port) => JSON.stringify({ ...conn, client: { ...conn.client, port } })).join("\n");
  const path = join(folder, "s");
  const server = createServer(async (_request, response) => {
    for (let at = 0; at < text.length; at += 150) {
      response.write(text.slice(at, at + 150));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    response.end();
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const ports: number[] = [];
  for await (const batch of connect(path).conns()) for (const { client } of batch) ports.push(client.port);
  expect(ports).toEqual([1, 2, 3]);
});

test("the daemon's own words come as a Fault with its code", async () => {
  const path = join(folder, "s");
  const server = createServer((_request, response) => {
    response.writeHead(503).end(JSON.stringify({ error: { code: "EAGAIN", message: "still starting" } }));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const fault = await connect(path)
    .info()
    .catch((error: unknown) => error);
  expect(fault).toBeInstanceOf(Fault);
  expect(fault).not.toBeInstanceOf(NoDaemon);
  expect(fault).toMatchObject({ code: "EAGAIN", message: "GET /v1/info: still starting" });
});

test("an answer that breaks off is a Fault", async () => {
  const path = join(folder, "s");
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-length": 100 }).write("{", () => response.destroy());
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const fault = await connect(path)
    .info()
    .catch((error: unknown) => error);
  expect(fault).toBeInstanceOf(Fault);
  expect(fault).toMatchObject({ code: "ECONNRESET" });
});

test("nobody at the socket is NoDaemon with the errno of the connection", async () => {
  const path = join(folder, "nobody");
  await expect(connect(path).info()).rejects.toMatchObject({ code: "ENOENT", path });
  await expect(connect(path).info()).rejects.toBeInstanceOf(NoDaemon);
});

test("the socket is that of the network namespace unless LVSD_SOCKET names another", () => {
  expect(socketPath({})).toBe(`/run/lvsd/${statSync("/proc/self/ns/net").ino}.sock`);
  expect(socketPath({ LVSD_SOCKET: "" })).toBe(socketPath({}));
  expect(socketPath({ LVSD_SOCKET: "/tmp/x" })).toBe("/tmp/x");
});
