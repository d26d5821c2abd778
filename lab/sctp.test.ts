import { afterAll, beforeAll, describe, expect, onTestFailed, test } from "vitest";
import { eth, type Frame } from "../src/wire/build.ts";
import { crc32c } from "../src/wire/checksum.ts";
import { ETH_HEADER } from "../src/wire/eth.ts";
import { Ipv4View, PROTOCOL } from "../src/wire/ipv4.ts";
import { Ipv6View, upperOf } from "../src/wire/ipv6.ts";
import { CHUNK, SCTP_HEADER, SctpView } from "../src/wire/sctp.ts";
import { hooks } from "./hooks.ts";
import { type Lab, startLab } from "./lab.ts";
import { diagnose, ipvsadm, runScript, startLvsd } from "./lvsd.ts";
import { endpoint, type Family, type Machine, methods } from "./methods.ts";
import { missing } from "./needs.ts";
import { until } from "./until.ts";
import { openWire, type Wire } from "./wire.ts";

/**
 * An SCTP association through NAT, packet by packet, as the kernel here has no SCTP of its own. Client and server are addresses
 * that no stack of the lab has, so that none of them answers in between: what comes and goes is made and read by the test.
 */

const reason = missing("bin/lvsd", "bin/ipvsadm");
const nat = methods.nat;
const PORTS = { client: 40_000, service: 9000, server: 9001 } as const;
const peers = {
  ipv4: { client: "10.1.0.50", server: "10.2.0.50", vip: nat.vip },
  ipv6: { client: "fd00:1::50", server: "fd00:2::50", vip: nat.vip6 },
} as const;
const data = Uint8Array.from({ length: 1400 }, (_, i) => i * 7);

/** Spec 4.7's trace: who sends which chunk, and the conn's state after it. */
const trace: readonly [side: "client" | "server", chunk: keyof typeof CHUNK, state: string][] = [
  ["client", "init", "INIT1"],
  ["client", "init", "INIT"],
  ["server", "initAck", "C-SENT"],
  ["client", "cookieEcho", "C-REPLIED"],
  ["server", "cookieAck", "ESTABLISHED"],
  ["client", "data", "ESTABLISHED"],
  ["server", "sack", "ESTABLISHED"],
  ["server", "data", "ESTABLISHED"],
  ["client", "shutdown", "S-RECEIVED"],
  ["server", "shutdownAck", "S-ACK-SENT"],
  ["client", "shutdownComplete", "CLOSED"],
];

for (const hook of hooks) {
  describe.skipIf(reason !== undefined)(`SCTP under NAT by ${hook.name} (${reason ?? "here"})`, () => {
    let lab: Lab<Machine>;
    let wires: { readonly client: Wire; readonly server: Wire };
    beforeAll(async () => {
      lab = await startLab(hook.prepare(nat.topology));
      const { client, director, rs1 } = lab.hosts;
      for (const { client: c, server: s } of Object.values(peers)) {
        await director.run(`ip neigh replace ${c} lladdr ${client.mac("outside")} dev outside nud permanent`);
        await director.run(`ip neigh replace ${s} lladdr ${rs1.mac("inside")} dev inside nud permanent`);
      }
      await startLvsd(director, hook.lvsd);
      wires = { client: openWire(client, "outside"), server: openWire(rs1, "inside") };
    });
    afterAll(async () => {
      wires?.client.close();
      wires?.server.close();
      await lab?.close();
    });

    for (const family of ["ipv4", "ipv6"] as const) {
      test(`${family}: an association opens, carries data and shuts down, each packet with its CRC32c`, async () => {
        onTestFailed(async () => console.error(await diagnose(lab.hosts.director)));
        await serve(family);
        for (const [side, chunk, state] of trace) {
          const sent = packetFrom(lab, family, side, chunk);
          const arrived = await pass(family, side, sent);
          expect(arrived, `${side}'s ${chunk}`).toEqual(expectedOf(family, side, sent));
          expect(await stateOf(family), `after the ${side}'s ${chunk}`).toBe(state);
        }
      });

      test(`${family}: an abort of the server refuses an association, and closes one that is open`, async () => {
        for (const [before, state] of [
          [1, "REJECTED"],
          [5, "CLOSED"],
        ] as const) {
          await serve(family);
          for (const [side, chunk] of trace.slice(0, before)) await pass(family, side, packetFrom(lab, family, side, chunk));
          const abort = packetFrom(lab, family, "server", "abort");
          expect(await pass(family, "server", abort)).toEqual(expectedOf(family, "server", abort));
          expect(await stateOf(family)).toBe(state);
        }
      });

      test(`${family}: data without an association opens no conn`, async () => {
        await serve(family);
        expect(await pass(family, "client", packetFrom(lab, family, "client", "data"), 300)).toBeUndefined();
        expect(await stateOf(family)).toBeUndefined();
      });
    }

    /** One service with one dest, and no conn. */
    async function serve(family: Family): Promise<void> {
      const { vip, server } = peers[family];
      const service = `--sctp-service ${endpoint(vip, PORTS.service)}`;
      const lines = [
        ...["lvsctl set expire_nodest_conn 1", "ipvsadm -C", `ipvsadm -A ${service} -s rr`],
        `ipvsadm -a ${service} -r ${endpoint(server, PORTS.server)} -m`,
      ];
      await runScript(lab.hosts.director, lines.join("\n"));
      await until("no conns", async () => (await stateOf(family)) === undefined);
    }

    /** Send from one side; what came out at the other. */
    function pass(family: Family, side: "client" | "server", frame: Uint8Array, timeout?: number): Promise<Packet | undefined> {
      const other = side === "client" ? "server" : "client";
      const { src, dst } = expectedOf(family, side, frame);
      wires[side].send(frame);
      return wires[other].next((seen) => {
        const packet = read(seen);
        return packet?.src === src && packet.dst === dst ? packet : undefined;
      }, timeout);
    }

    /** The state of the family's one conn, as ipvsadm lists it. */
    async function stateOf(family: Family): Promise<string | undefined> {
      const { stdout } = await ipvsadm(lab.hosts.director, "-L -n -c");
      const found = stdout.split("\n").filter((line) => line.startsWith("SCTP ") && line.includes(peers[family].client));
      expect(found.length).toBeLessThan(2);
      return found[0]?.split(/\s+/)[2];
    }
  });
}

/** What arrives, as it is compared. */
interface Packet {
  /** With ports. */
  readonly src: string;
  readonly dst: string;
  readonly hasGoodChecksum: boolean;
  /** From the verification tag on, without the checksum. */
  readonly tag: number;
  readonly chunks: string;
}

function packetFrom(lab: Lab<Machine>, family: Family, side: "client" | "server", chunk: keyof typeof CHUNK): Uint8Array {
  const { client, director, rs1 } = lab.hosts;
  const { client: c, server: s, vip } = peers[family];
  const body = chunk === "data" ? data : [0, 0, 0, 1];
  const options = { tag: side === "client" ? 0x0c0c_0c0c : 0x5e5e_5e5e, chunks: [{ type: CHUNK[chunk], body }] };
  const from = side === "client" ? client : rs1;
  const segment = side === "client" ? "outside" : "inside";
  const [src, dst] = side === "client" ? [c, vip] : [s, c];
  const link = eth(from.mac(segment), director.mac(segment));
  const ip: Frame = family === "ipv4" ? link.ipv4(src, dst) : link.ipv6(src, dst);
  return side === "client"
    ? ip.sctp(PORTS.client, PORTS.service, options).bytes()
    : ip.sctp(PORTS.server, PORTS.client, options).bytes();
}

/** The same packet behind NAT: the real server's address and port instead of the VIP's, or back; and a right checksum. */
function expectedOf(family: Family, side: "client" | "server", sent: Uint8Array): Packet {
  const { client, server, vip } = peers[family];
  const [src, dst] =
    side === "client"
      ? [endpoint(client, PORTS.client), endpoint(server, PORTS.server)]
      : [endpoint(vip, PORTS.service), endpoint(client, PORTS.client)];
  return { ...read(sent)!, src, dst, hasGoodChecksum: true };
}

/** undefined: not SCTP. */
function read(frame: Uint8Array): Packet | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const isV6 = view.getUint16(12) === 0x86dd;
  const ip = isV6 ? new Ipv6View(view, ETH_HEADER) : new Ipv4View(view, ETH_HEADER);
  if (ip.problem() !== undefined) return undefined;
  const upper = ip instanceof Ipv6View ? upperOf(ip) : { protocol: ip.protocol, at: ip.payloadAt };
  if (upper === "truncated" || upper.protocol !== PROTOCOL.sctp) return undefined;
  const sctp = new SctpView(view, upper.at, ETH_HEADER + ip.totalLength);
  const bytes = frame.slice(sctp.at, sctp.end);
  const checksum = sctp.checksum;
  bytes.fill(0, 8, SCTP_HEADER);
  return {
    src: endpoint(ip.src, sctp.sourcePort),
    dst: endpoint(ip.dst, sctp.destinationPort),
    hasGoodChecksum: crc32c(bytes) === checksum,
    tag: sctp.tag,
    chunks: Buffer.from(bytes.subarray(SCTP_HEADER)).toString("hex"),
  };
}
