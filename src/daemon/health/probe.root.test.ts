import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttps } from "node:https";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Result } from "../../health/checker.ts";
import type { Connection, Page } from "../../health/config.ts";
import { defaultPayload } from "../../health/protocols/udp.ts";
import { ip } from "../../net/ip.ts";
import { type TriedProbe as Probe, startProbe } from "./probe.ts";

/** Each kind of check against something real on loopback. */

const at = (port: number, more: Partial<Connection> = {}): Connection => ({
  ...{ ip: ip("127.0.0.1"), port, timeout: 1000, fromIp: undefined, fromPort: undefined, interface: undefined, fwmark: 0 },
  ...more,
});
const attempt = (probe: Probe, page = 0): Promise<Result> => new Promise((resolve) => startProbe(probe, page, {}, resolve));
const word = async (probe: Probe, page = 0): Promise<string> => {
  const result = await attempt(probe, page);
  return result.type === "ok"
    ? `ok${result.weight === undefined ? "" : ` ${result.weight}`}`
    : `${result.type}: ${result.reason}`;
};
const page: Page = { path: "/", host: "www.example", statuses: [[200, 299]], digests: [], regex: undefined };

let dir: string;
const closers: (() => void)[] = [];
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), `lvsd-probe-${process.pid}-`));
});
afterAll(() => {
  for (const close of closers) close();
  rmSync(dir, { recursive: true });
});

/** A TCP server that greets, then answers each piece; `heard` has what came. */
async function tcp(greeting: string | undefined, answer: (text: string) => string | undefined, host = "127.0.0.1") {
  const heard: string[] = [];
  const from: string[] = [];
  const server: Server = createServer((socket) => {
    from.push(socket.remoteAddress ?? "");
    if (greeting !== undefined) socket.write(greeting);
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      heard.push(bytes.toString());
      const reply = answer(bytes.toString());
      if (reply !== undefined) socket.write(reply);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  closers.push(() => server.close());
  return { port: (server.address() as AddressInfo).port, heard, from };
}

async function udp(answer: (bytes: Buffer) => Uint8Array | undefined) {
  const socket: Socket = createSocket("udp4");
  socket.on("message", (bytes, from) => {
    const reply = answer(bytes);
    if (reply !== undefined) socket.send(reply, from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  closers.push(() => socket.close());
  return socket.address().port;
}

/** A port where nobody listens. */
async function nobody(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("TCP_CHECK", () => {
  test("is good when connected and bad when refused, with and without a mark and an interface", async () => {
    const { port } = await tcp(undefined, () => undefined);
    const closed = await nobody();
    expect(await word({ type: "TCP_CHECK", to: at(port) })).toBe("ok");
    expect(await word({ type: "TCP_CHECK", to: at(closed) })).toBe("failed: connection refused");
    const marked = { fwmark: 7, interface: "lo" };
    expect(await word({ type: "TCP_CHECK", to: at(port, marked) })).toBe("ok");
    expect(await word({ type: "TCP_CHECK", to: at(closed, marked) })).toBe("failed: connection refused");
  });

  test("comes from the address that it is told to come from", async () => {
    const { port, from } = await tcp(undefined, () => undefined);
    expect(await word({ type: "TCP_CHECK", to: at(port, { fromIp: ip("127.0.0.5") }) })).toBe("ok");
    expect(await word({ type: "TCP_CHECK", to: at(port, { fromIp: ip("127.0.0.6"), fwmark: 1 }) })).toBe("ok");
    expect(from).toEqual(["127.0.0.5", "127.0.0.6"]);
  });

  test("from an address that this host has not says nothing of the server", async () => {
    const { port } = await tcp(undefined, () => undefined);
    expect(await word({ type: "TCP_CHECK", to: at(port, { fromIp: ip("192.0.2.77") }) })).toMatch(/^unknown: .*EADDRNOTAVAIL/);
  });

  test("works over IPv6", async () => {
    const { port } = await tcp(undefined, () => undefined, "::1");
    expect(await word({ type: "TCP_CHECK", to: at(port, { ip: ip("::1") }) })).toBe("ok");
    expect(await word({ type: "TCP_CHECK", to: at(port, { ip: ip("::1"), fwmark: 3 }) })).toBe("ok");
  });
});

describe("HTTP_GET and SSL_GET", () => {
  test("a server that does not answer has its time, and no more", async () => {
    const { port } = await tcp(undefined, () => undefined);
    const begin = Date.now();
    const probe: Probe = { type: "HTTP_GET", to: at(port, { timeout: 200 }), version: "1.0", pages: [page], sni: [undefined] };
    expect(await word(probe)).toBe("failed: timeout");
    expect(Date.now() - begin).toBeGreaterThanOrEqual(195);
    expect(Date.now() - begin).toBeLessThan(900);
  });

  test("goes through a marked socket as well", async () => {
    const { port, heard } = await tcp(undefined, () => "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n");
    expect(await word({ type: "HTTP_GET", to: at(port, { fwmark: 5 }), version: "1.1", pages: [page], sni: [undefined] })).toBe(
      "ok",
    );
    expect(heard[0]?.split("\r\n")[0]).toBe("GET / HTTP/1.1");
  });

  test("reads pages over TLS without asking who signed the certificate, and tells a name only when it is to", async () => {
    const file = (name: string) => join(dir, name);
    const make = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=nobody"];
    execFileSync("openssl", [...make, "-keyout", file("key"), "-out", file("cert")], { stdio: "ignore" });
    const names: unknown[] = [];
    const server = createHttps({ key: readFileSync(file("key")), cert: readFileSync(file("cert")) }, (request, response) => {
      names.push((request.socket as { servername?: unknown }).servername);
      response.writeHead(request.url === "/ok" ? 200 : 404).end("hello");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    closers.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    const digests = [createHash("md5").update("hello").digest("hex")];
    const pages = [{ ...page, path: "/ok", digests }, page];
    const probe = (more: Partial<Connection>): Probe => ({
      type: "SSL_GET",
      to: at(port, more),
      version: "1.0",
      pages,
      sni: [undefined, "www.example"],
    });
    expect(await word(probe({}), 0)).toBe("ok");
    expect(await word(probe({ fwmark: 4 }), 1)).toBe("failed: HTTP status code 404");
    expect(names).toEqual([false, "www.example"]);
    const noKey = new Promise<Result>((resolve) => startProbe(probe({}), 0, { key: file("none") }, resolve));
    expect(await noKey).toMatchObject({ type: "unknown" });
    const { port: plain } = await tcp("hello\r\n", () => undefined);
    expect(await word({ ...probe({}), to: at(plain) } as Probe)).toMatch(/^failed: /);
  });
});

test("SMTP_CHECK says HELO and QUIT", async () => {
  const { port, heard } = await tcp("220-mx\r\n220 mx\r\n", (text) => (text.startsWith("HELO") ? "250 hello\r\n" : undefined));
  expect(await word({ type: "SMTP_CHECK", to: at(port), helo: "me" })).toBe("ok");
  for (let i = 0; i < 50 && heard.length < 2; i++) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(heard).toEqual(["HELO me\r\n", "QUIT\r\n"]);
});

test("SMTP_CHECK is good though the server hangs up as soon as it has said 250", async () => {
  const server = createServer((socket) => {
    socket.on("error", () => {}).write("220 mx\r\n");
    socket.once("data", () => socket.end("250 hello\r\n"));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  const probe: Probe = { type: "SMTP_CHECK", to: at(port), helo: "me" };
  const said = await Promise.all(Array.from({ length: 20 }, () => word(probe)));
  expect(new Set(said)).toEqual(new Set(["ok"]));
});

test("DNS_CHECK wants an answer without an error", async () => {
  const answering = (rcode: number) => udp((query) => Uint8Array.of(query[0]!, query[1]!, 0x81, rcode, ...query.subarray(4)));
  const probe = (port: number): Probe => ({ type: "DNS_CHECK", to: at(port, { timeout: 300 }), query: "SOA", name: "." });
  expect(await word(probe(await answering(0)))).toBe("ok");
  expect(await word(probe(await answering(2)))).toBe("failed: error code 2");
  expect(await word(probe(await udp(() => Uint8Array.of(1, 2, 3))))).toBe("failed: timeout");
});

test("UDP_CHECK takes silence for good and an ICMP error for bad", async () => {
  const silent = await udp(() => undefined);
  const echo = await udp((bytes) => bytes);
  const probe = (port: number, reply?: string): Probe => ({
    ...{ type: "UDP_CHECK", to: at(port, { timeout: 200 }), payload: defaultPayload },
    reply: reply === undefined ? undefined : { pattern: reply, minLength: 0, maxLength: 255 },
  });
  expect(await word(probe(silent))).toBe("ok");
  expect(await word(probe(await nobody()))).toBe("failed: connection refused");
  expect(await word(probe(silent, ""))).toBe("failed: timeout");
  expect(await word(probe(echo, "6b 65"))).toBe("ok"); // "ke"
  expect(await word(probe(echo, "6b 66"))).toBe("failed: reply data mismatch");
});

test("PING_CHECK is answered by loopback, in both families", async () => {
  expect(await word({ type: "PING_CHECK", to: at(0) })).toBe("ok");
  expect(await word({ type: "PING_CHECK", to: at(0, { ip: ip("::1") }) })).toBe("ok");
});

describe("MISC_CHECK", () => {
  const run = (script: string, more: { dynamic?: boolean; timeout?: number } = {}) => {
    const command = ["/bin/sh", "-c", script];
    const probe = { timeout: 5000, dynamic: false, weight: 3, ...more, script: { command, user: undefined, group: undefined } };
    return word({ type: "MISC_CHECK", ...probe });
  };
  test("goes by the exit code", async () => {
    expect(await run("exit 0")).toBe("ok");
    expect(await run("exit 1")).toBe("failed: exited with status 1");
    expect(await run("exit 7")).toBe("failed: exited with status 7");
    expect(await run("kill -9 $$")).toBe("failed: due to signal SIGKILL");
  });
  test("dynamic makes the weight the exit code less 2", async () => {
    expect(await run("exit 12", { dynamic: true })).toBe("ok 7"); // 3 + 7 = 10
    expect(await run("exit 2", { dynamic: true })).toBe("ok -3");
    expect(await run("exit 1", { dynamic: true })).toBe("failed: exited with status 1");
  });
  test("that takes too long is ended, with what it has started and though it will not", async () => {
    const pid = join(dir, "pid");
    expect(await run(`sleep 60 & echo $! > ${pid}; wait`, { timeout: 200 })).toBe("failed: timed out");
    const state = () => execFileSync("sh", ["-c", `ps -o stat= -p ${readFileSync(pid, "utf8").trim()} || true`]).toString();
    for (let i = 0; i < 50 && !/^(Z.*)?$/.test(state().trim()); i++) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(state().trim()).toMatch(/^(Z.*)?$/);
    expect(await run("trap '' TERM; while :; do sleep 0.1; done", { timeout: 100 })).toBe("failed: timed out");
  });
  test("without a program is bad", async () => {
    const script = { command: ["/nonexistent/check"], user: undefined, group: undefined };
    expect(await word({ type: "MISC_CHECK", script, timeout: 1000, dynamic: false, weight: 1 })).toMatch(/^failed: .*ENOENT/);
  });
});

test("FILE_CHECK goes by the number in the file, and with a weight adds to that of the server", async () => {
  const path = join(dir, "number");
  const probe = (weight: number): Probe => ({ type: "FILE_CHECK", path, weight, reverse: false });
  const cases: [content: string, weight: number, then: string][] = [
    ["0\n", 0, "ok"],
    ["3\n", 0, `failed: ${path} has 3`],
    ["3\n", 2, "ok 6"],
    ["-2147483648\n", 1, `failed: ${path} has -2147483648`],
  ];
  for (const [content, weight, then] of cases) {
    writeFileSync(path, content);
    expect(await word(probe(weight))).toBe(then);
  }
  rmSync(path);
  expect(await word(probe(0))).toBe("ok");
});

test("a try that is given up says nothing more", async () => {
  const { port } = await tcp(undefined, () => undefined);
  const said: Result[] = [];
  const script = { command: ["/bin/sleep", "0.1"], user: undefined, group: undefined };
  const probes: Probe[] = [
    { type: "TCP_CHECK", to: at(port) },
    { type: "TCP_CHECK", to: at(port, { fwmark: 1 }) },
    { type: "HTTP_GET", to: at(port, { timeout: 100 }), version: "1.0", pages: [page], sni: [undefined] },
    { type: "UDP_CHECK", to: at(port, { timeout: 100 }), payload: defaultPayload, reply: undefined },
    { type: "PING_CHECK", to: at(0) },
    { type: "MISC_CHECK", script, timeout: 1000, dynamic: false, weight: 1 },
    { type: "FILE_CHECK", path: "/nonexistent", weight: 0, reverse: false },
  ];
  for (const probe of probes) startProbe(probe, 0, {}, (result) => said.push(result))();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(said).toEqual([]);
});
