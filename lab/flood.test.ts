import { expect, test } from "vitest";
import { FLOOD_SOURCES, startFlood, type Visits, visit } from "./flood.ts";
import { type Hook, hooks } from "./hooks.ts";
import type { Host } from "./host.ts";
import { type Lab, withLab } from "./lab.ts";
import { diagnose, runScript, startLvsd } from "./lvsd.ts";
import { type Machine, methods, serve, webOf } from "./methods.ts";
import { missing } from "./needs.ts";
import { makeBigFile, startNginx } from "./nginx.ts";
import { download, sha256Of } from "./traffic.ts";
import { until } from "./until.ts";

/** A SYN flood against a NAT service whose table is small, so that it is full within a second; docs/flood.md. */

const reason = missing("bin/lvsd", "bin/ipvsadm", "bin/lvsctl");
const CAPACITY = 16_384; // conns
const RATE = 20_000; // SYNs per second
const COUNT = 300_000; // SYNs: 15 s, and longer than the last visit takes
const SECONDS = 6; // in which visits begin
const VISITORS = 4;
const DOWNLOAD = 12_000_000; // bytes, at a megabyte a second
const DEFENCES = ["lvsctl set drop_entry 3", "lvsctl set secure_tcp 3"]; // as docs/flood.md has it

const nat = methods.nat;

for (const hook of hooks) {
  test.skipIf(reason !== undefined)(
    `with defences, a full table of half-open connections by ${hook.name} keeps hardly a visitor out (${reason ?? "here"})`,
    { timeout: 180_000 },
    () =>
      withFloodedLab(hook, async (lab, lvsd) => {
        await runScript(lab.hosts.director, DEFENCES.join("\n"));
        const seen = await underFlood(lab, lvsd);
        console.log(`${hook.name} with defences: ${words(seen)}`);
        expect(seen.mostConns).toBeLessThanOrEqual(CAPACITY);
        expect(seen.grown).toBeLessThan(64_000); // kB
        expect(seen.visits.tried).toBeGreaterThan(20);
        expect(seen.visits.succeeded / seen.visits.tried).toBeGreaterThanOrEqual(0.95);
      }),
  );
}

test.skipIf(reason !== undefined)(
  `without defences a full table turns connections away and counts them, and those that are open go on (${reason ?? "here"})`,
  { timeout: 180_000 },
  () =>
    withFloodedLab(hooks[0]!, async (lab, lvsd) => {
      const seen = await underFlood(lab, lvsd);
      console.log(`${hooks[0]!.name} without defences: ${words(seen)}`);
      expect(seen.mostConns).toBe(CAPACITY);
      expect(seen.turnedAway).toBeGreaterThan(0);
    }),
);

interface Seen {
  readonly visits: Visits;
  /** In the table at once. */
  readonly mostConns: number;
  /** Packets that found the table full. */
  readonly turnedAway: number;
  /** lvsd's memory, in kB. */
  readonly grown: number;
}

const words = ({ visits, mostConns, turnedAway, grown }: Seen): string =>
  `${visits.succeeded} of ${visits.tried} connections, median ${visits.median} s, longest ${visits.longest} s; ` +
  `${mostConns} conns at most, ${turnedAway} SYNs found the table full, lvsd grew by ${grown} kB`;

async function withFloodedLab(hook: Hook, use: (lab: Lab<Machine>, lvsd: number) => Promise<void>): Promise<void> {
  await withLab(hook.prepare(nat.topology), async (lab) => {
    const { director, client, rs1, rs2 } = lab.hosts;
    for (const host of [rs1, rs2]) await startNginx(lab, host, [`0.0.0.0:${nat.port}`]);
    await director.run(`ip route add ${FLOOD_SOURCES} via ${client.address()}`);
    const { running } = await startLvsd(director, { ...hook.lvsd, arguments: ["--conns", String(CAPACITY)] });
    await serve(lab, nat, "rr", [1, 1]);
    await use(lab, running.pid).catch(async (error: unknown) => {
      console.error(await diagnose(director));
      throw error;
    });
  });
}

/** A slow download that began before, and visitors while the table is full. */
async function underFlood(lab: Lab<Machine>, lvsd: number): Promise<Seen> {
  const { client, director, rs1 } = lab.hosts;
  const { path, url } = makeBigFile(lab, DOWNLOAD);
  const downloaded = download(client, `http://${nat.vip}${url}`, "1M");
  await until("the download's conn", async () => (await status(director)).table.conns > 0);
  const before = await memoryOf(director, lvsd);
  const flood = await startFlood(lab, {
    ...{ from: client, interface: "outside", mac: director.mac("outside"), vip: nat.vip, port: 80 },
    ...{ count: COUNT, rate: RATE },
  });
  await until("a full table", async () => (await status(director)).table.conns > CAPACITY * 0.8);

  let [mostConns, isOver] = [0, false];
  const watched = (async () => {
    while (!isOver) {
      mostConns = Math.max(mostConns, (await status(director)).table.conns);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  })();
  const visits = await visit(client, webOf(nat), VISITORS, SECONDS);
  const wasFlooded = flood.isRunning;
  isOver = true;
  await watched;
  await flood.ended;
  expect(wasFlooded).toBe(true); // to the last visit
  expect(flood.stdout).toMatch(/^sent \d+$/m);
  expect(await downloaded).toEqual({ bytes: DOWNLOAD, sha256: await sha256Of(rs1, path) });
  const turnedAway = (await status(director)).exits["table-full"] ?? 0;
  return { visits, mostConns, turnedAway, grown: (await memoryOf(director, lvsd)) - before };
}

interface Status {
  readonly table: { readonly conns: number };
  readonly exits: Readonly<Record<string, number>>;
}

const status = async (director: Host): Promise<Status> => JSON.parse(await runScript(director, "lvsctl status --json"));

async function memoryOf(host: Host, pid: number): Promise<number> {
  return Number(/VmRSS:\s+(\d+)/.exec(await host.readFile(`/proc/${pid}/status`))?.[1]);
}
