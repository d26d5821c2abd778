import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from "vitest";
import { startCapture } from "./capture.ts";
import type { Frame } from "./frame.ts";
import { hooks } from "./hooks.ts";
import { type Lab, startLab } from "./lab.ts";
import { diagnose, runScript, startLvsd, startRealServer } from "./lvsd.ts";
import { missing } from "./needs.ts";
import { makeBigFile, type Nginx, startNginx } from "./nginx.ts";
import { MTU, narrow, VIPS } from "./topologies/narrow.ts";
import { sha256Of, upload } from "./traffic.ts";

/** A tunnel's header makes packets longer than a link behind the director takes. The sender has to learn of it. */

const reason = missing("bin/lvsd", "bin/ipvsadm", "bin/lvsctl");
const BYTES = 100_000_000;
const OUTER = 20; // bytes of IPv4 header in front

const places = [
  ["the director's own link", VIPS.own, "rs1"],
  ["a link behind the next router", VIPS.farther, "rs2"],
] as const;

for (const hook of hooks) {
  describe.skipIf(reason !== undefined)(`a tunnel by ${hook.name} (${reason ?? "here"})`, () => {
    let lab: Lab<"client" | "router" | "director" | "rs1" | "rs2">;
    let servers: Readonly<Record<"rs1" | "rs2", Nginx>>;
    beforeAll(async () => {
      lab = await startLab(hook.prepare(narrow));
      const { director, rs1, rs2 } = lab.hosts;
      const [nginx1, nginx2] = await Promise.all([
        startNginx(lab, rs1, ["0.0.0.0:80"]),
        startNginx(lab, rs2, ["0.0.0.0:80"]),
        startRealServer(rs1, [VIPS.own], "tunnel", "narrow"),
        startRealServer(rs2, [VIPS.farther], "tunnel", "remote"),
        startLvsd(director, hook.lvsd),
      ]);
      servers = { rs1: nginx1, rs2: nginx2 };
      const lines = places.flatMap(([, vip, server]) => [
        `ipvsadm -A -t ${vip}:80 -s rr`,
        `ipvsadm -a -t ${vip}:80 -r ${lab.hosts[server].address()}:80 -i`,
      ]);
      await runScript(director, lines.join("\n"));
    });
    afterAll(() => lab?.close());
    beforeEach(() => onTestFailed(async () => console.error(await diagnose(lab.hosts.director))));

    for (const [place, vip, server] of places) {
      test(`takes 100 MB where ${place} passes ${MTU} bytes`, async () => {
        const { client } = lab.hosts;
        const { path } = makeBigFile(lab, BYTES);
        const errors = await startCapture(lab, client, { interface: "outside", filter: "icmp", direction: "in" });

        await upload(client, path, `http://${vip}/put/it`);

        const sums = [servers[server].pathOf("it"), path].map((file) => sha256Of(client, file));
        expect(await sums[0]).toBe(await sums[1]);
        const told = await errors.stop();
        expect(told.length).toBeGreaterThan(0);
        for (const frame of told) {
          expect(fragmentationNeeded(frame)).toBe(MTU - OUTER);
          expect(frame.ip[1]).toMatchObject({ source: "10.1.0.2", destination: vip });
          expect(frame.badChecksums.filter((bad) => bad.startsWith("ip "))).toEqual([]); // of TCP only the beginning is there
        }
      });
    }
  });
}

/** The greatest packet an ICMP error (RFC 1191) says to send. */
function fragmentationNeeded({ bytes, ip }: Frame): number | undefined {
  const at = ip[0]!.at + 20;
  const isIt = ip[0]?.protocol === 1 && bytes[at] === 3 && bytes[at + 1] === 4;
  return isIt ? (bytes[at + 6]! << 8) | bytes[at + 7]! : undefined;
}
