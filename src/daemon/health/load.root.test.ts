import { type ChildProcess, fork, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { parseText } from "../../config/parse.ts";
import type { Director } from "../../director/director.ts";
import { Table } from "../../director/table.ts";
import { fromConfig } from "./from-config.ts";
import { openHealth } from "./health.ts";
import type { Health } from "./runner.ts";
import { bundleChecker } from "./testing/program.ts";

/** Many checks at once, with the table that the model and the data path have. */

const SERVICES = 1000;
const stops: (() => void)[] = [];
let health: Health | undefined;
afterEach(() => {
  health?.close();
  for (const stop of stops.splice(0)) stop();
});

async function listen(): Promise<{ port: number; count: () => number; stop(): void }> {
  const open = new Set<Socket>();
  let count = 0;
  const server: Server = createServer((socket) => {
    count++;
    open.add(socket);
    socket.on("close", () => open.delete(socket)).on("error", () => {});
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, resolve));
  const stop = (): void => {
    server.close();
    for (const socket of open) socket.destroy();
  };
  stops.push(stop);
  return { port: (server.address() as AddressInfo).port, count: () => count, stop };
}

const until = async (what: () => boolean, ms: number): Promise<void> => {
  for (const end = Date.now() + ms; !what() && Date.now() < end; ) await new Promise((resolve) => setTimeout(resolve, 20));
};

function textOf(ports: readonly number[], services: number): string {
  const servers = ports.map((port) => `real_server 127.0.0.1 ${port} {\n TCP_CHECK {\n}\n}`).join("\n");
  const head = "protocol TCP\n lb_algo rr\n lb_kind NAT\n delay_loop 1\n delay_before_retry 0.1\n";
  const one = (i: number): string => `virtual_server 192.0.2.${1 + (i % 250)} ${1000 + i} {\n ${head} ${servers}\n}`;
  return Array.from({ length: services }, (_, i) => one(i)).join("\n");
}

function begin(text: string, table: Table): { director: Pick<Director, "apply">; refused: unknown[] } {
  const director: Pick<Director, "apply"> = { apply: (operations) => table.apply(operations).refusals };
  const refused: unknown[] = [];
  const { health: config } = fromConfig(parseText(text).config);
  health = openHealth(config, { director, log: () => {}, refused: (r) => refused.push(r), bootstrap: 0 });
  return { director, refused };
}

const newTable = (): Table => new Table({ maxServices: 65536, maxDests: 65536, isUnicast: () => true });
const servicesOf = (table: Table) => [...table.services()];
const destsOf = (table: Table): number => servicesOf(table).reduce((sum, s) => sum + s.dests.length, 0);

describe("ten thousand checks every five seconds", () => {
  const children: ChildProcess[] = [];
  let remove: (() => void) | undefined;
  afterEach(() => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    remove?.();
  });

  /** A process that accepts on ten ports and counts. */
  async function accepting(): Promise<{ ports: number[]; count(): Promise<number> }> {
    const code = `let n = 0; const net = require("node:net"); const servers = Array.from({ length: 10 }, () =>
      net.createServer((s) => { n++; s.on("error", () => {}).resume(); }).listen({ port: 0, host: "127.0.0.1", backlog: 4096 }));
      setTimeout(() => process.send(servers.map((s) => s.address().port)), 100);
      process.on("message", () => process.send(n)).on("disconnect", () => process.exit());`;
    const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "ignore", "ignore", "ipc"] });
    children.push(child);
    const next = <T>() => new Promise<T>((resolve) => child.once("message", (message) => resolve(message as T)));
    const ports = await next<number[]>();
    return {
      ports,
      count() {
        child.send("count");
        return next<number>();
      },
    };
  }

  /** CPU time of a process in user and system mode, ms (proc(5); the clock has 100 ticks a second). */
  const cpuOf = ({ pid }: ChildProcess): number => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10;
  };

  test("take less than 30 % of one core in the checkers process", async () => {
    const { ports, count } = await accepting();
    const bundle = await bundleChecker();
    ({ remove } = bundle);
    const checker = fork(bundle.program, { execArgv: [], stdio: ["ignore", "ignore", "ignore", "ipc"] });
    children.push(checker);
    const text = textOf(ports, SERVICES).replaceAll("delay_loop 1\n", "delay_loop 5\n");
    checker.send({ type: "configure", config: fromConfig(parseText(text).config).health });
    await new Promise((resolve) => checker.once("message", resolve));
    await new Promise((resolve) => setTimeout(resolve, 6200)); // the first tries, which are all told of in the log, are over
    const [at, cpu, before] = [performance.now(), cpuOf(checker), await count()];
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const [ms, used, checks] = [performance.now() - at, cpuOf(checker) - cpu, (await count()) - before];
    const share = (100 * used) / ms;
    process.stdout.write(
      `checks: ${checks} in ${ms.toFixed(0)} ms, ${(used / checks).toFixed(3)} ms of CPU each in the checkers process, ${share.toFixed(1)} % of a core\n`,
    );
    expect(checks / ms).toBeGreaterThan(0.2); // a busy machine makes fewer, or catches up; what each takes is what counts
    expect(Math.max(share, (used / checks) * 2000 * 0.1)).toBeLessThan(30);
  });
});

describe("two thousand checks a second", () => {
  test("are made, and the loss of one server is told to all thousand services", async () => {
    const [one, two] = [await listen(), await listen()];
    const table = newTable();
    const { refused } = begin(textOf([one.port, two.port], SERVICES), table);
    expect([servicesOf(table).length, destsOf(table)]).toEqual([SERVICES, 2 * SERVICES]);
    const before = process.cpuUsage();
    const at = Date.now();
    await until(() => one.count() >= 2 * SERVICES && two.count() >= 2 * SERVICES, 15_000);
    const { user, system } = process.cpuUsage(before);
    const cpu = (user + system) / 1000 / (one.count() + two.count());
    process.stdout.write(
      `checks: ${one.count() + two.count()} in ${Date.now() - at} ms, ${cpu.toFixed(3)} ms of CPU each, both sides\n`,
    );
    expect(one.count()).toBeGreaterThanOrEqual(2 * SERVICES);
    expect(destsOf(table)).toBe(2 * SERVICES);
    one.stop();
    await until(() => destsOf(table) === SERVICES, 10_000);
    expect(servicesOf(table).every((s) => s.dests.length === 1 && s.dests[0]?.spec.port === two.port)).toBe(true);
    expect(refused).toEqual([]);
  });

  test("a table that is full already is taken over, and emptied at the end", async () => {
    const [one, two] = [await listen(), await listen()];
    const table = newTable();
    begin(textOf([one.port, two.port], 5), table);
    health?.close();
    const { refused } = begin(textOf([one.port, two.port], 5), table);
    expect([servicesOf(table).length, destsOf(table), refused]).toEqual([5, 10, []]);
    health?.stop();
    expect([servicesOf(table).length, refused]).toEqual([0, []]);
  });
});
