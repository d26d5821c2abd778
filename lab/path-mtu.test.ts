import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from "vitest";
import { startCapture } from "./capture.ts";
import type { Frame } from "./frame.ts";
import { hooks } from "./hooks.ts";
import { type Lab, startLab } from "./lab.ts";
import { diagnose, runScript, startLvsd, startRealServer } from "./lvsd.ts";
import { endpoint } from "./methods.ts";
import { missing } from "./needs.ts";
import { makeBigFile, type Nginx, startNginx } from "./nginx.ts";
import { MTU, narrow, VIPS, VIPS6 } from "./topologies/narrow.ts";
import { sha256Of, upload } from "./traffic.ts";

/** A tunnel's header makes packets longer than a link behind the director takes. The sender has to learn of it. */

const reason = missing("bin/lvsd", "bin/ipvsadm", "bin/lvsctl");
/** How much is sent, and the bytes of the header in front. */
const families = {
  ipv4: { vips: VIPS, bytes: 100_000_000, outer: 20 },
  ipv6: { vips: VIPS6, bytes: 20_000_000, outer: 40 },
} as const;

const places = [
  ["the director's own link", "own", "rs1"],
  ["a link behind the next router", "farther", "rs2"],
] as const;

const cases = [
  ["ipv4", places[0]],
  ["ipv4", places[1]],
  ["ipv6", places[0]],
  ["ipv6", places[1]],
] as const;

for (const hook of hooks) {
  describe.skipIf(reason !== undefined)(`a tunnel by ${hook.name} (${reason ?? "here"})`, () => {
    let lab: Lab<"client" | "router" | "director" | "rs1" | "rs2">;
    let servers: Readonly<Record<"rs1" | "rs2", Nginx>>;
    beforeAll(async () => {
      lab = await startLab(hook.prepare(narrow));
      const { director, rs1, rs2 } = lab.hosts;
      const [nginx1, nginx2] = await Promise.all([
        startNginx(lab, rs1, ["0.0.0.0:80", "[::]:80"]),
        startNginx(lab, rs2, ["0.0.0.0:80", "[::]:80"]),
        startRealServer(rs1, [VIPS.own, VIPS6.own], "tunnel", "narrow"),
        startRealServer(rs2, [VIPS.farther, VIPS6.farther], "tunnel", "remote"),
        startLvsd(director, hook.lvsd),
      ]);
      servers = { rs1: nginx1, rs2: nginx2 };
      const lines = places.flatMap(([, which, server]) =>
        (["ipv4", "ipv6"] as const).flatMap((family) => {
          const service = `-t ${endpoint(families[family].vips[which], 80)}`;
          const dest = endpoint(lab.hosts[server].address(undefined, family), 80);
          return [`ipvsadm -A ${service} -s rr`, `ipvsadm -a ${service} -r ${dest} -i`];
        }),
      );
      await runScript(director, lines.join("\n"));
    });
    afterAll(() => lab?.close());
    beforeEach(() => onTestFailed(async () => console.error(await diagnose(lab.hosts.director))));

    for (const [family, [place, which, server]] of cases) {
      const { vips, bytes, outer } = families[family];
      test(`takes ${bytes / 1e6} MB by ${family} where ${place} passes ${MTU} bytes`, async () => {
        const { client } = lab.hosts;
        const { path } = makeBigFile(lab, bytes);
        // 2: packet too big (ICMPv6 has neighbours to talk about as well)
        const filter = "icmp or (icmp6 and ip6[40] == 2)";
        const errors = await startCapture(lab, client, { interface: "outside", filter, direction: "in" });

        await upload(client, path, `http://${endpoint(vips[which], 80)}/put/it`);

        const sums = [servers[server].pathOf("it"), path].map((file) => sha256Of(client, file));
        expect(await sums[0]).toBe(await sums[1]);
        const told = await errors.stop();
        expect(told.length).toBeGreaterThan(0);
        for (const frame of told) {
          expect(greatestPacket(frame)).toBe(MTU - outer);
          expect(frame.ip[1]?.destination).toBe(vips[which]);
          expect(frame.badChecksums.filter((bad) => bad.startsWith("ip "))).toEqual([]); // of TCP only the beginning is there
        }
      });
    }
  });
}

/** The greatest packet an ICMP error says to send: RFC 1191, RFC 8201. */
function greatestPacket({ bytes, ip }: Frame): number | undefined {
  const { protocol, at } = ip[0]!;
  const icmp = new DataView(bytes.buffer, bytes.byteOffset + at + (protocol === 58 ? 40 : 20));
  if (protocol === 58) return icmp.getUint8(0) === 2 ? icmp.getUint32(4) : undefined;
  return icmp.getUint16(0) === 0x0304 ? icmp.getUint16(6) : undefined;
}
