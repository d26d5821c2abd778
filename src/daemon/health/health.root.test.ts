import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { parseText } from "../../config/parse.ts";
import type { Director, Operation } from "../../director/director.ts";
import { fromConfig } from "./from-config.ts";
import { openHealth } from "./health.ts";
import type { Health } from "./runner.ts";

/** The whole way from a file to the operations of a director, with real servers on loopback. */

/** Remembers what it is asked, as words, and keeps the table of one service. */
class Recorder implements Pick<Director, "apply"> {
  readonly said: string[] = [];
  readonly table = new Map<string, number>();

  apply(operations: readonly Operation[]): [] {
    for (const o of operations) {
      if (o.op === "delete-dest") this.table.delete(`${o.dest.addr}:${o.dest.port}`);
      if (o.op === "add-dest" || o.op === "edit-dest") this.table.set(`${o.dest.addr}:${o.dest.port}`, o.dest.weight);
      const about =
        o.op === "add-dest" || o.op === "edit-dest"
          ? ` ${o.dest.port} ${o.dest.weight}`
          : o.op === "delete-dest"
            ? ` ${o.dest.port}`
            : "";
      this.said.push(o.op + about);
    }
    return [];
  }
}

interface Web {
  readonly port: number;
  hits: number;
  body: string;
  status: number;
  start(): Promise<void>;
  stop(): Promise<void>;
}

async function startWeb(body: string): Promise<Web> {
  let server: Server | undefined;
  const listen = (port: number) =>
    new Promise<number>((resolve) => {
      server = createServer((_, response) => {
        web.hits++;
        response.writeHead(web.status).end(web.body);
      });
      server.listen(port, "127.0.0.1", () => resolve((server!.address() as AddressInfo).port));
    });
  const web: Web = {
    port: await listen(0),
    ...{ hits: 0, body, status: 200 },
    start: async () => void (await listen(web.port)),
    stop: () =>
      new Promise((resolve) => {
        server?.closeAllConnections();
        if (server?.listening) server.close(() => resolve());
        else resolve();
      }),
  };
  return web;
}

const until = async (what: () => boolean, about: () => unknown, ms = 8000): Promise<void> => {
  for (const end = Date.now() + ms; !what(); await new Promise((resolve) => setTimeout(resolve, 20)))
    if (Date.now() > end) throw new Error(`not in time: ${JSON.stringify(about())}`);
};

let dir: string;
let webs: Web[];
let health: Health | undefined;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), `lvsd-health-${process.pid}-`));
  writeFileSync(join(dir, "note.sh"), `#!/bin/sh\necho "$@" >> ${dir}/notes\n`, { mode: 0o755 });
  webs = await Promise.all(["one", "two", "three"].map(startWeb));
});
afterEach(() => health?.close());
afterAll(async () => {
  await Promise.all(webs.map((web) => web.stop()));
  rmSync(dir, { recursive: true });
});

const notes = (): string[] => {
  try {
    return readFileSync(join(dir, "notes"), "utf8").trim().split("\n");
  } catch {
    return [];
  }
};

function start(text: string): { director: Recorder; log: string[] } {
  const { config, problems } = parseText(text);
  expect(problems.filter((p) => p.severity === "error")).toEqual([]);
  const { health: values, notes: left } = fromConfig(config);
  expect(left).toEqual([]);
  const director = new Recorder();
  const log: string[] = [];
  health = openHealth(values, { director, log: (line) => log.push(line), bootstrap: 50 });
  return { director, log };
}

const realServer = (port: number, weight: number, check: string): string => `
  real_server 127.0.0.1 ${port} {
    weight ${weight}
    notify_up "${dir}/note.sh up ${weight}"
    notify_down "${dir}/note.sh down ${weight}"
    ${check}
  }`;

const virtualServer = (inside: string): string => `
virtual_server 192.0.2.1 80 {
  protocol TCP
  lb_algo wrr
  lb_kind NAT
  delay_loop 0.2
  delay_before_retry 0.1
  connect_timeout 1
  ${inside}
}
`;

describe("checks of real servers", () => {
  test("HTTP: a dead server leaves after its retries and returns with its weight; without any the sorry server stands in", async () => {
    rmSync(join(dir, "notes"), { force: true });
    const check = "HTTP_GET {\n retry 2\n delay_before_retry 0.1\n url {\n path /\n status_code 200\n }\n }";
    const { director, log } = start(
      virtualServer(`
        quorum_up "${dir}/note.sh quorum up"
        quorum_down "${dir}/note.sh quorum down"
        sorry_server 127.0.0.1 9
        ${webs.map((web, i) => realServer(web.port, 3 - i, check)).join("")}`),
    );
    const [one, two, three] = webs as [Web, Web, Web];
    expect(director.said).toEqual([
      "add-service",
      `add-dest ${one.port} 3`,
      `add-dest ${two.port} 2`,
      `add-dest ${three.port} 1`,
      "delete-dest 9", // an earlier lvsd may have left it there
    ]);
    await until(
      () => webs.every((web) => web.hits > 1),
      () => log,
    );

    director.said.length = 0;
    await one.stop();
    const died = Date.now();
    await until(
      () => director.said.length > 0,
      () => log,
    );
    expect(director.said).toEqual([`delete-dest ${one.port}`]);
    expect(Date.now() - died).toBeGreaterThan(150); // two retries of 100 ms
    expect(log).toContain(`HTTP_CHECK on service [127.0.0.1]:tcp:${one.port} failed after 2 retries (connection refused).`);
    await one.start();
    await until(
      () => director.said.length > 1,
      () => log,
    );
    expect(director.said[1]).toBe(`add-dest ${one.port} 3`);

    three.status = 500;
    await Promise.all([one.stop(), two.stop()]);
    await until(
      () => director.table.size === 1 && director.table.get("127.0.0.1:9") === 1,
      () => director.said,
    );
    three.status = 200;
    await Promise.all([one.start(), two.start()]);
    await until(
      () => director.table.size === 3 && !director.table.has("127.0.0.1:9"),
      () => director.said,
    );
    expect([...director.table.values()].sort()).toEqual([1, 2, 3]);

    const count = (note: string): number => notes().filter((line) => line === note).length;
    await until(() => notes().length === 11, notes);
    expect(["quorum down", "quorum up", "up 3", "down 3", "up 2", "down 2", "up 1", "down 1"].map(count)).toEqual([
      1, 2, 2, 2, 1, 1, 1, 1,
    ]);

    health?.stop();
    expect(director.table.size).toBe(0);
    expect(director.said.at(-1)).toBe("delete-service");
  });

  test("TCP: alpha servers come when they answer, inhibited ones stay with weight 0", async () => {
    const [one, two] = webs as [Web, Web, Web];
    await two.stop();
    const { director } = start(
      virtualServer(`
        alpha
        ${realServer(one.port, 5, "TCP_CHECK {\n}")}
        ${realServer(two.port, 4, "inhibit_on_failure\n TCP_CHECK {\n}")}`),
    );
    expect(director.said).toEqual(["add-service", `add-dest ${two.port} 0`]);
    await until(
      () => director.table.get(`127.0.0.1:${one.port}`) === 5,
      () => director.said,
    );
    await two.start();
    await until(
      () => director.table.get(`127.0.0.1:${two.port}`) === 4,
      () => director.said,
    );
    await two.stop();
    await until(
      () => director.table.get(`127.0.0.1:${two.port}`) === 0,
      () => director.said,
    );
    await two.start();
  });
});
