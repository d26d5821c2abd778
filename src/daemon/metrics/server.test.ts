import { connect } from "node:net";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Fault } from "../../fault.ts";
import { silent } from "../testing/fake-director.ts";
import { parseAddress } from "./address.ts";
import { serveMetrics } from "./server.ts";

let served: Awaited<ReturnType<typeof serveMetrics>>;
let pieces: () => Iterable<string>;
beforeEach(async () => {
  pieces = () => ["a 1\n", "b 2\n"];
  served = await serveMetrics({ host: "127.0.0.1", port: 0 }, async () => pieces(), silent);
});
afterEach(() => served.close());

const url = (path: string): string => `http://127.0.0.1:${served.port}${path}`;

test("GET /metrics answers in Prometheus' format, and a query changes nothing", async () => {
  for (const path of ["/metrics", "/metrics?x=1"]) {
    const response = await fetch(url(path));
    expect([response.status, await response.text()]).toEqual([200, "a 1\nb 2\n"]);
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  }
});

test("HEAD has no body, other paths and methods are refused, a body does no harm", async () => {
  const status = async (path: string, init?: RequestInit) => (await fetch(url(path), init)).status;
  expect(await (await fetch(url("/metrics"), { method: "HEAD" })).text()).toBe("");
  expect(await status("/")).toBe(404);
  expect(await status("/metrics/x")).toBe(404);
  expect(await status("/metrics", { method: "DELETE" })).toBe(405);
  expect(await status("/metrics", { method: "POST", body: "x".repeat(100_000) })).toBe(405);
});

test("a scrape that fails is cut off, and the next one works", async () => {
  pieces = function* () {
    yield "a 1\n";
    throw new Fault("read", "EIO", "broken");
  };
  await expect(fetch(url("/metrics")).then((response) => response.text())).rejects.toThrow();
  pieces = () => ["a 2\n"];
  expect(await (await fetch(url("/metrics"))).text()).toBe("a 2\n");
});

/** What it says to these bytes before it hangs up, or within 100 ms. */
function say(bytes: Uint8Array | string): Promise<string> {
  return new Promise((done) => {
    const socket = connect(served.port, "127.0.0.1", () => socket.write(bytes));
    let text = "";
    const end = (): void => {
      socket.destroy();
      done(text);
    };
    const timer = setTimeout(end, 100);
    socket.on("data", (part) => {
      text += String(part);
    });
    socket
      .on("error", () => {})
      .on("close", () => {
        clearTimeout(timer);
        end();
      });
  });
}

test("nonsense is answered with 400 or not at all, and does not end it", async () => {
  expect(await say("HELLO\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /);
  expect(await say(`GET /metrics HTTP/1.1\r\nHost: x\r\nX: ${"y".repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400 /);
  expect(await say("GET /metrics HTTP/1.1\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /); // no Host
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => void (await say(bytes))),
    { numRuns: 20 },
  );
  expect((await fetch(url("/metrics"))).status).toBe(200);
});

test("those who do not read, or never finish to ask, do not keep others waiting", async () => {
  let isEnded = false;
  pieces = function* () {
    try {
      for (let i = 0; i < 2000; i++) yield "x".repeat(60_000);
    } finally {
      isEnded = true;
    }
  };
  const mute = Array.from({ length: 10 }, () => connect(served.port, "127.0.0.1"));
  for (const socket of mute) {
    socket.on("error", () => {});
    socket.pause();
    socket.write("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  await expect.poll(() => mute.every((socket) => socket.readyState === "open")).toBe(true);
  pieces = () => ["a 1\n"];
  expect(await (await fetch(url("/metrics"))).text()).toBe("a 1\n");
  for (const socket of mute) socket.destroy();
  await expect.poll(() => isEnded, { timeout: 5000 }).toBe(true); // and nothing is left of them
});

test("a port that is taken is a Fault that names it", async () => {
  await expect(serveMetrics({ host: "127.0.0.1", port: served.port }, async () => [], silent)).rejects.toMatchObject({
    code: "EADDRINUSE",
    message: expect.stringContaining(`127.0.0.1:${served.port}`),
  });
});

const addresses: readonly (readonly [text: string, host: string | undefined, port?: number])[] = [
  ["127.0.0.1:9130", "127.0.0.1", 9130],
  ["[::1]:9130", "::1", 9130],
  [":9130", "", 9130],
  ["9130", undefined],
  ["::1:9130", undefined],
  ["localhost:9130", undefined],
  ["127.0.0.1:99999", undefined],
];
for (const [text, host, port] of addresses)
  test(`${text} is ${host === undefined ? "no address" : `port ${port} of ${host || "every address"}`}`, () =>
    expect(parseAddress(text)).toEqual(host === undefined ? undefined : { host, port }));
