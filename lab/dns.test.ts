import { afterAll, beforeAll, describe, expect, onTestFailed, test } from "vitest";
import { askNames, startNameServer } from "./dns.ts";
import { hooks } from "./hooks.ts";
import { type Lab, startLab } from "./lab.ts";
import { diagnose, ipvsadm, runScript, startLvsd } from "./lvsd.ts";
import { endpoint, type Family, type Machine, type Method, methods } from "./methods.ts";
import { missing } from "./needs.ts";

/** Names by UDP: each real server answers every question with an address of its own, so that answers tell who gave them. */

const reason = missing("bin/lvsd", "bin/ipvsadm");
const PORT = 53;
const QUERIES = 200;
const answers = { rs1: "192.0.2.1", rs2: "192.0.2.2", rs3: "192.0.2.3" } as const;
const weights = [3, 1, 1];
const servers = ["rs1", "rs2", "rs3"] as const;

for (const hook of hooks) {
  for (const method of [methods.nat, methods.dr] satisfies Method[]) {
    describe.skipIf(reason !== undefined)(`DNS under ${method.name} by ${hook.name} (${reason ?? "here"})`, () => {
      let lab: Lab<Machine>;
      beforeAll(async () => {
        lab = await startLab(hook.prepare(method.topology));
        const { hosts } = lab;
        // A real server under NAT may have a port of its own; under DR it answers from the VIP, which it has to be asked at.
        const serve = servers.flatMap((name) =>
          method === methods.nat
            ? [startNameServer(hosts[name], hosts[name].address(), portOf(method), answers[name])]
            : [method.vip, method.vip6].map((vip) => startNameServer(hosts[name], vip, PORT, answers[name])),
        );
        if (method === methods.nat) {
          const six = (name: (typeof servers)[number]) => hosts[name].address(undefined, "ipv6");
          serve.push(...servers.map((name) => startNameServer(hosts[name], six(name), portOf(method), answers[name])));
        }
        await Promise.all([startLvsd(hosts.director, hook.lvsd), ...serve]);
      });
      afterAll(() => lab?.close());

      for (const family of ["ipv4", "ipv6"] as const) {
        const vip = family === "ipv4" ? method.vip : method.vip6;

        test(`${family}: of ${QUERIES} queries none is lost, and weights 3, 1 and 1 share them`, async () => {
          onTestFailed(async () => console.error(await diagnose(lab.hosts.director)));
          await serveNames(lab, method, family, "-s wrr", weights);
          const said = await askNames(lab.hosts.client, vip, PORT, QUERIES, "many");
          expect(said.filter((answer) => !isAnswer(answer))).toEqual([]);
          const { all, each } = await conns(lab, method, family);
          // Ports are of the client's stack's choice, and one that it takes again is a conn that is there.
          expect(all).toBeGreaterThan(QUERIES * 0.95);
          for (const [i, weight] of weights.entries()) expect(Math.abs(each[i]! - (all * weight) / 5)).toBeLessThan(2);
          const repeated = QUERIES - all;
          for (const [i, name] of servers.entries()) {
            const answered = said.filter((answer) => answer === answers[name]).length;
            expect(answered).toBeGreaterThanOrEqual(each[i]!);
            expect(answered).toBeLessThanOrEqual(each[i]! + repeated);
          }
        });
      }

      test("a resolver that asks from one port stays with one server", async () => {
        await serveNames(lab, method, "ipv4", "-s rr", [1, 1, 1]);
        const said = await askNames(lab.hosts.client, method.vip, PORT, 20, "one");
        expect(new Set(said).size).toBe(1);
        expect(isAnswer(said[0]!)).toBe(true);
        const { stdout } = await ipvsadm(lab.hosts.director, "-L -n -c");
        expect(stdout.match(new RegExp(`^UDP .* ${method.vip}:${PORT} `, "gm"))).toHaveLength(1);
      });

      if (method === methods.dr)
        test("with one-packet scheduling each of its queries goes to the next server", async () => {
          await serveNames(lab, method, "ipv4", "-s rr -o", [1, 1, 1]);
          const said = await askNames(lab.hosts.client, method.vip, PORT, 30, "one");
          expect(said).toEqual(Array.from({ length: 30 }, (_, i) => Object.values(answers)[2 - (i % 3)]));
        });
    });
  }
}

const isAnswer = (said: string): boolean => Object.values<string>(answers).includes(said);

/** How many conns the method's service has been given, and of them each of rs1, rs2 and rs3. */
async function conns(lab: Lab<Machine>, method: Method, family: Family): Promise<{ all: number; each: number[] }> {
  const { stdout } = await ipvsadm(lab.hosts.director, "-L -n --stats --exact");
  const of = (address: string, port: number): number =>
    Number(stdout.match(new RegExp(` ${endpoint(address, port).replaceAll(/[[\].]/g, "\\$&")} +(\\d+) `))?.[1]);
  const each = servers.map((name) => of(lab.hosts[name].address(undefined, family), portOf(method)));
  return { all: of(family === "ipv4" ? method.vip : method.vip6, PORT), each };
}

/** The method's port for a service whose own is 53. */
const portOf = (method: Method): number => (method === methods.nat ? 5353 : PORT);

async function serveNames(
  lab: Lab<Machine>,
  method: Method,
  family: Family,
  scheduling: string,
  weights: readonly number[],
): Promise<void> {
  const service = `-u ${endpoint(family === "ipv4" ? method.vip : method.vip6, PORT)}`;
  const dests = weights.map((weight, i) => {
    const address = lab.hosts[servers[i]!].address(undefined, family);
    return `ipvsadm -a ${service} -r ${endpoint(address, portOf(method))} ${method.flag} -w ${weight}`;
  });
  // Conns of the test before are of no service any more, and go at once.
  const clear = ["lvsctl set expire_nodest_conn 1", "ipvsadm -C"];
  await runScript(lab.hosts.director, [...clear, `ipvsadm -A ${service} ${scheduling}`, ...dests].join("\n"));
}
