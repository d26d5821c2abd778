import { afterAll, beforeAll, describe, expect, onTestFailed, test } from "vitest";
import { askUdp, startUdpEcho } from "./echo.ts";
import { hooks } from "./hooks.ts";
import { type Lab, startLab } from "./lab.ts";
import { diagnose, ipvsadm, runScript, startLvsd } from "./lvsd.ts";
import { endpoint, type Machine, type Method, methods } from "./methods.ts";
import { missing } from "./needs.ts";

/** UDP, whole and in fragments: only the first fragment has ports, the others have to find their way after it. */

const reason = missing("bin/lvsd", "bin/ipvsadm");
const PORT = 5000;
/** Bytes of data that a datagram can have, and the fragments that it takes on Ethernet. */
const longestDatagrams = [
  ["ipv4", 65_507, 45],
  ["ipv6", 65_487, 46],
] as const;

for (const hook of hooks) {
  for (const method of [methods.nat, methods.dr] satisfies Method[]) {
    describe.skipIf(reason !== undefined)(`UDP under ${method.name} by ${hook.name} (${reason ?? "here"})`, () => {
      let lab: Lab<Machine>;
      beforeAll(async () => {
        lab = await startLab(hook.prepare(method.topology));
        const { director, rs1, rs2 } = lab.hosts;
        const serve = [rs1, rs2].flatMap((host) =>
          (["ipv4", "ipv6"] as const).map((family) => {
            const vip = family === "ipv4" ? method.vip : method.vip6;
            // A real server under DR answers from the VIP, which it has to be asked at.
            return startUdpEcho(host, method === methods.dr ? vip : host.address(undefined, family), PORT);
          }),
        );
        await Promise.all([startLvsd(director, hook.lvsd), ...serve]);
        const lines = (["ipv4", "ipv6"] as const).flatMap((family) => {
          const service = `-u ${endpoint(family === "ipv4" ? method.vip : method.vip6, PORT)}`;
          const dest = (host: typeof rs1) => `-r ${endpoint(host.address(undefined, family), PORT)} ${method.flag}`;
          return [`ipvsadm -A ${service} -s rr`, ...[rs1, rs2].map((host) => `ipvsadm -a ${service} ${dest(host)}`)];
        });
        await runScript(director, lines.join("\n"));
      });
      afterAll(() => lab?.close());

      for (const [family, longest, fragments] of longestDatagrams) {
        const vip = family === "ipv4" ? method.vip : method.vip6;

        test(`${family}: datagrams come back, and each client's go to the next server`, async () => {
          onTestFailed(async () => console.error(await diagnose(lab.hosts.director)));
          await ipvsadm(lab.hosts.director, "-Z");
          expect(await askUdp(lab.hosts.client, vip, PORT, 100, 10)).toBe(10);
          const { stdout } = await ipvsadm(lab.hosts.director, "-L -n --stats");
          for (const host of [lab.hosts.rs1, lab.hosts.rs2]) {
            const dest = pattern(endpoint(host.address(undefined, family), PORT));
            expect(stdout).toMatch(new RegExp(`-> ${dest} +5 `));
          }
        });

        test(`${family}: datagrams of 64 kB come back whole through all their fragments`, async () => {
          onTestFailed(async () => console.error(await diagnose(lab.hosts.director)));
          await ipvsadm(lab.hosts.director, "-Z");
          expect(await askUdp(lab.hosts.client, vip, PORT, longest, 6)).toBe(6);
          const { stdout } = await ipvsadm(lab.hosts.director, "-L -n --stats --exact");
          const [, conns, inPackets] =
            new RegExp(`^UDP  ${pattern(endpoint(vip, PORT))} +(\\d+) +(\\d+)`, "m").exec(stdout) ?? [];
          expect(Number(conns)).toBe(6);
          expect(Number(inPackets)).toBe(6 * fragments); // every one of them
        });
      }
    });
  }
}

/** So that brackets and dots mean themselves. */
const pattern = (text: string): string => text.replaceAll(/[[\].]/g, "\\$&");
