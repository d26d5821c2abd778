import { mkdtempSync, rmSync } from "node:fs";
import { request, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Operation, ServiceKey } from "../director/director.ts";
import { Fault } from "../fault.ts";
import { ip } from "../net/ip.ts";
import { createApi } from "./api.ts";
import { routes } from "./routes.ts";
import { FakeDirector, silent } from "./testing/fake-director.ts";
import { ask, type Reply, sendRaw } from "./testing/unix-http.ts";

const key: ServiceKey = { protocol: "tcp", addr: ip("10.0.0.100"), port: 80 };
const addService = { op: "add-service", service: { key, scheduler: "wlc" } };
const addDest = { op: "add-dest", key, dest: { addr: "10.0.0.11", port: 8080, method: "nat" } };

let folder: string;
let path: string;
let director: FakeDirector;
let server: Server;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "lvsd-api-"));
  path = join(folder, "sock");
  director = new FakeDirector(["eth0"]);
  const status = { pid: 1, version: "1", engine: "xdp", uptimeSeconds: 1 };
  const host = {
    director,
    status: () => ({ ...status, attachments: director.attachments(), table: director.tableUse(), exits: director.exits() }),
    explain: director.explain,
    metrics: async () => ["a 1\n", "b 2\n"],
  };
  server = createApi(host, silent, "1");
  await new Promise<void>((resolve) => server.listen(path, resolve));
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

const get = (route: string): Promise<Reply> => ask(path, "GET", route);
const post = (route: string, value: unknown): Promise<Reply> => ask(path, "POST", route, JSON.stringify(value));
const operate = async (...operations: unknown[]): Promise<unknown> => {
  const reply = await post("/v1/operations", { operations });
  return { status: reply.status, ...JSON.parse(reply.text) };
};

describe("operations", () => {
  test("are carried out with their defaults filled in", async () => {
    expect(await operate(addService, addDest)).toEqual({ status: 200, refusals: [] });
    const spec = { key, scheduler: "wlc", schedFlags: [], persistSeconds: 0, netmask: 0xffffffff, onePacket: false, pe: "" };
    const tunnel = { type: "ipip", port: 0, checksum: "none" };
    const dest = { addr: "10.0.0.11", port: 8080, method: "nat", weight: 1, upper: 0, lower: 0, tunnel, toa: false };
    expect(director.applied).toEqual([
      { op: "add-service", service: spec },
      { op: "add-dest", key, dest },
    ]);
  });

  test("that the director refuses come back with their places", async () => {
    await operate(addService);
    const refusals = [{ index: 1, code: "EEXIST", message: "the service exists" }];
    expect(await operate(addDest, addService)).toEqual({ status: 200, refusals });
  });

  test("take addresses in any spelling and hand on the canonical one", async () => {
    await operate({ op: "delete-service", key: { protocol: "udp", addr: "2001:DB8:0::1", port: 53 } });
    expect(director.applied).toEqual([{ op: "delete-service", key: { protocol: "udp", addr: "2001:db8::1", port: 53 } }]);
  });

  test("with mistakes are refused, and each mistake is named by its place", async () => {
    const bad = { op: "add-dest", key: { ...key, addr: "10.0.0" }, dest: { ...addDest.dest, port: 65536, wait: 1 } };
    const reply = await post("/v1/operations", { operations: [addService, bad, { op: "drop" }] });
    expect(reply.status).toBe(400);
    const { error } = JSON.parse(reply.text);
    expect(error.code).toBe("EINVAL");
    const paths = error.problems.map((problem: { path: string }) => problem.path);
    expect(paths).toEqual(["operations[1].key.addr", "operations[1].dest.port", "operations[1].dest", "operations[2].op"]);
    expect(error.message).toContain("operations[1].key.addr: not an IP address");
    expect(director.applied).toEqual([]);
  });

  test("that are not JSON are refused", async () => {
    const reply = await ask(path, "POST", "/v1/operations", "{");
    expect([reply.status, JSON.parse(reply.text).error.code]).toEqual([400, "EINVAL"]);
  });

  test("of more than 64 MB are refused unread", async () => {
    const sent = new Promise<number>((resolve) => {
      const req = request({ socketPath: path, method: "POST", path: "/v1/operations", agent: false }, (response) => {
        resolve(response.statusCode ?? 0);
        req.destroy();
      });
      req.on("error", () => {});
      const more = () => {
        while (req.write(Buffer.alloc(1 << 20, " "))) if (req.destroyed) return;
      };
      req.on("drain", more);
      more();
    });
    expect(await sent).toBe(413);
  });

  test("of 10 000 services with 10 dests each are taken well within the five seconds of a restore", async () => {
    const operations: unknown[] = [];
    for (let s = 0; s < 10_000; s++) {
      const key = { protocol: "tcp", addr: `10.1.${s >> 8}.${s & 255}`, port: 80 };
      operations.push({ op: "add-service", service: { key, scheduler: "wlc", netmask: 0xffffffff } });
      for (let d = 0; d < 10; d++) operations.push({ ...addDest, key, dest: { ...addDest.dest, addr: `10.2.0.${d}` } });
    }
    const body = JSON.stringify({ operations });
    const before = process.cpuUsage(); // not the clock: others work on this machine as well
    const reply = await ask(path, "POST", "/v1/operations", body);
    const { user, system } = process.cpuUsage(before);
    expect(reply.text).toBe('{"refusals":[]}\n');
    expect(director.applied.length).toBe(110_000);
    expect((user + system) / 1000).toBeLessThan(4000);
  }, 20_000);

  test("whose director fails are answered with its code", async () => {
    director.apply = () => {
      throw new Fault("bpf(MAP_UPDATE)", "E2BIG", "dests is full");
    };
    const reply = await post("/v1/operations", { operations: [] });
    expect(reply.status).toBe(500);
    expect(JSON.parse(reply.text)).toEqual({ error: { code: "E2BIG", message: "bpf(MAP_UPDATE): dests is full" } });
  });
});

describe("services", () => {
  test("are none at first", async () => {
    expect(JSON.parse((await get("/v1/services")).text)).toEqual([]);
  });

  test("come with their dests, all or one by its key", async () => {
    const other = { ...key, port: 443 };
    await operate(addService, addDest, { op: "add-service", service: { key: other, scheduler: "rr" } });
    const ports = async (query: string) =>
      JSON.parse((await get(`/v1/services${query}`)).text).map((s: { key: typeof other }) => s.key.port);
    const one = (k: ServiceKey) => `?key=${encodeURIComponent(JSON.stringify(k))}`;
    expect(await ports("")).toEqual([80, 443]);
    expect(await ports(one(other))).toEqual([443]);
    expect(await ports(one({ ...key, port: 1 }))).toEqual([]);
  });

  test("with a key that means nothing are refused", async () => {
    for (const query of ["?key=", "?key=%7B", "?key=%7B%7D", "?key=%ff"]) {
      expect((await get(`/v1/services${query}`)).status).toBe(400);
    }
  });
});

describe("conns", () => {
  test("come as one line each", async () => {
    director.connCount = 3;
    const reply = await get("/v1/conns");
    expect(reply.headers["content-type"]).toBe("application/x-ndjson");
    const lines = reply.text.split("\n");
    expect(lines.pop()).toBe("");
    expect(lines.map((line) => JSON.parse(line).client.port)).toEqual([0, 1, 2]);
  });

  test("of a client that hangs up are no longer read from the table", async () => {
    director.connCount = 10_000_000;
    let ended = false;
    const all = director.conns.bind(director);
    director.conns = function* () {
      try {
        yield* all();
      } finally {
        ended = true;
      }
    };
    const req = request({ socketPath: path, path: "/v1/conns", agent: false }, (res) => res.once("data", () => req.destroy()));
    req.on("error", () => {});
    req.end();
    await vi.waitFor(() => expect(ended).toBe(true));
  });

  test("that fail in the middle are cut, not ended", async () => {
    director.conns = function* () {
      yield* [];
      for (let i = 0; i < 10_000; i++) yield { padding: "x".repeat(100) } as never;
      throw new Fault("bpf", "EIO", "gone");
    };
    await expect(get("/v1/conns")).rejects.toThrow("aborted");
  });
});

describe("the other routes", () => {
  const cases: [route: string, expected: unknown][] = [
    ["/v1/info", { version: 0x10201, connTableSize: 1 << 20 }],
    ["/v1/timeouts", { tcp: 900, tcpFin: 120, udp: 300 }],
    ["/v1/settings", { drop_entry: "0", sync_threshold: "3 50" }],
    ["/v1/daemons", []],
    ["/v1/rates", []],
  ];
  for (const [route, expected] of cases) {
    test(`${route} answers what the director says`, async () => {
      const reply = await get(route);
      expect([reply.status, JSON.parse(reply.text)]).toEqual([200, expected]);
    });
  }

  test("/metrics answers in Prometheus' format", async () => {
    const reply = await get("/metrics");
    expect([reply.status, reply.text]).toEqual([200, "a 1\nb 2\n"]);
    expect(reply.headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect((await post("/metrics", {})).status).toBe(405);
  });

  test("without a configuration file there is no dump, and that is said", async () => {
    const reply = await get("/v1/dump/data");
    expect([reply.status, JSON.parse(reply.text).error]).toEqual([
      500,
      { code: "ENOENT", message: "dump: no configuration file is in use" },
    ]);
  });

  test("/v1/rates names each service and dest", async () => {
    await operate(addService, addDest);
    const rates = { cps: 0, inPps: 0, outPps: 0, inBps: 0, outBps: 0 };
    const dest = { addr: "10.0.0.11", port: 8080, weight: 1, activeConns: 0, inactiveConns: 0, rates };
    expect(JSON.parse((await get("/v1/rates")).text)).toEqual([{ key, rates, dests: [dest] }]);
  });

  test("/v1/status tells of the data path", async () => {
    const status = JSON.parse((await get("/v1/status")).text);
    expect(status.attachments).toEqual(director.attachments());
    expect(status.exits).toEqual(director.exits());
  });

  test("/v1/explain answers for a packet", async () => {
    const query = { protocol: "tcp", client: { addr: "192.0.2.7", port: 4000 }, virtual: { addr: "10.0.0.100", port: 80 } };
    expect(JSON.parse((await post("/v1/explain", query)).text)).toEqual({ lines: ["tcp to 10.0.0.100"], verdict: "pass" });
    expect((await post("/v1/explain", { ...query, protocol: "icmp" })).status).toBe(400);
  });

  test("/v1/marks takes the list of mark rules as a whole", async () => {
    const rule = { mark: 5, family: "ipv4", protocol: "tcp", destination: { addr: "10.0.0.100", length: 32 } };
    const put = async (rules: unknown[]) => ask(path, "PUT", "/v1/marks", JSON.stringify({ rules }));
    expect(await put([rule, { mark: 6, family: "ipv6" }])).toMatchObject({ status: 200, text: '{"refusals":[]}\n' });
    expect(JSON.parse((await get("/v1/marks")).text)).toEqual([rule, { mark: 6, family: "ipv6" }]);
    const refused = JSON.parse((await put([{ ...rule, family: "ipv6" }])).text);
    expect(refused.refusals).toMatchObject([{ index: 0, code: "EINVAL" }]);
    expect((await put([{ ...rule, ports: 5 }])).status).toBe(400);
    expect(director.marks().length).toBe(2);
  });

  test("an unknown route is not found", async () => {
    const reply = await get("/v2/services");
    expect([reply.status, JSON.parse(reply.text)]).toEqual([
      404,
      { error: { code: "ENOENT", message: "no such route: /v2/services" } },
    ]);
  });

  test("a known route with another method says which it takes", async () => {
    const reply = await ask(path, "DELETE", "/v1/services");
    expect([reply.status, reply.headers.allow]).toEqual([405, "GET"]);
  });

  test("/v1/openapi.json describes every route and refers only to what it holds", async () => {
    const { text } = await get("/v1/openapi.json");
    const description = JSON.parse(text);
    expect(Object.keys(description.paths)).toEqual([...new Set(routes.map((route) => route.path))]);
    const names = [...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map((found) => found[1]!);
    for (const name of names) expect(description.components.schemas).toHaveProperty(name);
    const [add] = description.components.schemas.Operations.properties.operations.items.oneOf;
    expect(add.properties.op.enum).toEqual(["add-service", "edit-service"] satisfies Operation["op"][]);
    expect(add.properties.service.required).toEqual(["key", "scheduler"]);
  });
});

describe("nothing that a client sends brings it down:", () => {
  const alive = async () => expect((await get("/v1/info")).status).toBe(200);

  test("random bytes", async () => {
    const head = fc.constantFrom("", "GET ", "POST /v1/operations HTTP/1.1\r\n", "GET /v1/services?key=");
    await fc.assert(
      fc.asyncProperty(head, fc.uint8Array({ maxLength: 400 }), async (start, rest) => {
        await sendRaw(path, Buffer.concat([Buffer.from(start), rest]));
      }),
      { numRuns: 150 },
    );
    await alive();
  }, 30_000);

  test("random JSON", async () => {
    const route = fc.constantFrom("/v1/operations", "/v1/explain");
    const loose = fc.oneof(
      fc.json(),
      fc.jsonValue().map((value) => JSON.stringify({ operations: value })),
      fc.string(),
    );
    await fc.assert(
      fc.asyncProperty(route, loose, async (to, body) => {
        const { status, text } = await ask(path, "POST", to, body);
        expect([200, 400]).toContain(status);
        JSON.parse(text);
      }),
      { numRuns: 150 },
    );
    await alive();
  }, 30_000);

  test("almost right operations", async () => {
    const words = fc.constantFrom("add-service", "add-dest", "flush", "zero", "tcp", "10.0.0.1", "::1", "wlc", "__proto__");
    const value = fc.letrec((tie) => ({
      value: fc.oneof({ maxDepth: 4 }, words, fc.integer(), fc.boolean(), fc.constant(null), tie("list"), tie("object")),
      list: fc.array(tie("value"), { maxLength: 3 }),
      object: fc.dictionary(fc.constantFrom("op", "key", "service", "dest", "addr", "port", "fwmark", "protocol"), tie("value")),
    })).object;
    await fc.assert(
      fc.asyncProperty(fc.array(value, { maxLength: 5 }), async (operations) => {
        const { status } = await post("/v1/operations", { operations });
        expect([200, 400]).toContain(status);
      }),
      { numRuns: 150 },
    );
    await alive();
  }, 30_000);
});
