import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { type Hook, hooks } from "./hooks.ts";
import type { Host } from "./host.ts";
import { withLab } from "./lab.ts";
import { ipvsadm, startLvsd } from "./lvsd.ts";
import { type Method, methods, serve, webOf } from "./methods.ts";
import { missing } from "./needs.ts";
import { makeBigFile, startNginx } from "./nginx.ts";
import { curlEach, download, sha256Of } from "./traffic.ts";

/** Forwarding outlives the daemon. */

const GIGABYTE = 1_000_000_000;
const RATE = 250_000_000; // bytes per second, so that there is time to kill and restart lvsd in the middle
const reason = missing("bin/lvsd", "bin/ipvsadm");

const cases: [method: Method, hook: Hook][] = [
  [methods.nat, hooks[0]!],
  [methods.dr, hooks[1]!],
];

for (const [method, hook] of cases) {
  test.skipIf(reason !== undefined)(
    `kill -9 of lvsd costs a ${method.name} download by ${hook.name} not a byte (${reason ?? "here"})`,
    async () => {
      await withLab(hook.prepare(method.topology), async (lab) => {
        const { client, director, rs1, rs2 } = lab.hosts;
        for (const host of [rs1, rs2]) await startNginx(lab, host, [`0.0.0.0:${method.port}`]);
        const { path, url } = makeBigFile(lab, GIGABYTE);
        const first = await startLvsd(director, hook.lvsd);
        await serve(lab, method, "rr", [1, 1]);
        await curlEach(client, webOf(method), 4);

        const downloaded = download(client, `http://${method.vip}${url}`, String(RATE));
        await delay(500);
        const [table, before] = [await list(director, ""), await inPackets(director, method)];
        await first.kill9();
        const received = await receivedBytes(client);
        await delay(1000);
        expect((await ipvsadm(director, "-L -n")).code).not.toBe(0);
        expect((await receivedBytes(client)) - received).toBeGreaterThan(RATE / 20); // it goes on with nobody there

        await startLvsd(director, hook.lvsd);
        expect(await list(director, "")).toBe(table);
        const after = await inPackets(director, method);
        expect(after).toBeGreaterThan(before + 100); // what passed while nobody was there is counted too
        expect(await downloaded).toEqual({ bytes: GIGABYTE, sha256: await sumOf(path, rs1) });

        expect(await curlEach(client, webOf(method), 4)).toEqual(expect.arrayContaining(["rs1", "rs2"]));
        const conns = /^TCP\s+\S+\s+(\d+)/m.exec(await list(director, "--stats --exact"))?.[1];
        expect(Number(conns)).toBe(4 + 1 + 4);
      });
    },
  );
}

/** Every lab's gigabyte is the same, and takes seconds to sum. */
let sum: Promise<string> | undefined;
const sumOf = (path: string, host: Host): Promise<string> => (sum ??= sha256Of(host, path));

const list = async (director: Host, options: string): Promise<string> => (await ipvsadm(director, `-L -n ${options}`)).stdout;

/** The service's InPkts. */
async function inPackets(director: Host, method: Method): Promise<number> {
  const line = (await list(director, "--stats --exact")).split("\n").find((text) => text.includes(` ${method.vip}:80 `));
  return Number(line?.trim().split(/\s+/)[3]);
}

async function receivedBytes(client: Host): Promise<number> {
  return Number(await client.run("awk '/outside:/ {print $2}' /proc/net/dev"));
}
