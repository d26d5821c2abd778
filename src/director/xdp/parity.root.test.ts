import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { operationsOf } from "../../../cases/lines.ts";
import { ModelPlane } from "../../../cases/model-plane.ts";
import { fromClient, fromServer, type Side, toClient, toServer } from "../../../cases/network.ts";
import { type Plane, type Seen, withoutChoice } from "../../../cases/plane.ts";
import { connText } from "../../../cases/script.ts";
import { XdpPlane } from "../../../cases/xdp-plane.ts";
import { type Frame, ipv4 } from "../../wire/build.ts";

/** Packets that are rare in random traffic: model and data path do the same with them. */

const [C, VIP, S, S2, DIRECTOR] = ["10.1.0.3", "10.1.0.100", "10.2.0.11", "10.2.0.12", "10.2.0.1"];
let planes: readonly Plane[];
beforeAll(() => {
  planes = [new ModelPlane(64), new XdpPlane(64)];
});
beforeEach(() => {
  for (const plane of planes) plane.reset();
});
afterAll(() => {
  for (const plane of planes) plane.close();
});

async function apply(lines: string): Promise<void> {
  const operations = await operationsOf(lines);
  for (const plane of planes) plane.apply(operations);
}

/** Without what each plane chooses; the IP id of an error that it makes is its own choice also when it passes one on. */
const without = (seen: Seen): unknown => {
  const isRelayed = seen.reason === "icmp-related";
  const { frame } = withoutChoice(isRelayed ? { ...seen, verdict: "tx", reason: "ttl" } : seen);
  return { verdict: seen.verdict, reason: seen.reason, frame: frame && Buffer.from(frame).toString("hex") };
};
const stateOf = (plane: Plane): unknown => ({
  conns: plane.conns().map(connText).toSorted(),
  counters: plane.services().map(({ dests }) => dests.map(({ counters }) => counters)),
});

/** On both planes the same, which is "redirect nat". */
function send(frame: Frame, by: Side): { readonly becomes: string; readonly frame: Uint8Array | undefined } {
  const bytes = frame.bytes();
  const [model, xdp] = planes.map((plane) => plane.send(bytes, by)) as [Seen, Seen];
  expect(without(xdp)).toEqual(without(model));
  const [modelState, xdpState] = planes.map(stateOf);
  expect(xdpState).toEqual(modelState);
  return { becomes: `${xdp.verdict} ${xdp.reason}`, frame: xdp.frame };
}
const client = (frame: Frame) => send(frame, "client").becomes;
const server = (frame: Frame) => send(frame, "server").becomes;

describe.each([
  ["ESP", 50],
  ["AH", 51],
])("%s", (_name, protocol) => {
  const body = Uint8Array.from({ length: 40 }, (_, i) => i);
  const secured = (frame: Frame): Frame => {
    const bytes = frame.payload(body).bytes();
    return { bytes: () => bytes } as unknown as Frame;
  };
  const nat = `-A -u ${VIP}:500 -s rr\n-a -u ${VIP}:500 -r ${S}:500 -m`;
  const exchange = () => client(fromClient(C, VIP).udp(500, 500, { payload: "key" }));

  test("follows the key exchange by NAT, both ways, with its addresses changed only", async () => {
    await apply(nat);
    expect(exchange()).toBe("redirect nat");
    const there = send(secured(fromClient(C, VIP, { protocol })), "client");
    expect([there.becomes, there.frame]).toEqual(["redirect nat", toServer(S, C, S, { protocol }).payload(body).bytes()]);
    const back = send(secured(fromServer(S, C, { protocol })), "server");
    expect([back.becomes, back.frame]).toEqual(["redirect nat-reply", toClient(C, VIP, { protocol }).payload(body).bytes()]);
  });

  test("without a key exchange opens nothing and is left to the stack", async () => {
    await apply(`${nat}\nnat_icmp_send=1`);
    expect(client(secured(fromClient(C, VIP, { protocol })))).toBe("pass not-scheduled");
    expect(server(secured(fromServer(S, C, { protocol })))).toBe("pass not-scheduled");
  });

  test("in fragments follows too, and at its last hop nobody is told", async () => {
    await apply(nat);
    exchange();
    expect(client(secured(fromClient(C, VIP, { protocol, moreFragments: true })))).toBe("redirect nat");
    expect(client(secured(fromClient(C, VIP, { protocol, fragmentOffset: 64 })))).toBe("redirect nat");
    expect(client(secured(fromClient(C, VIP, { protocol, ttl: 1 })))).toBe("drop ttl");
  });

  test("keeps the timer of the exchange going by DR, until the dest goes", async () => {
    await apply(`-A -u ${VIP}:500 -s rr\n-a -u ${VIP}:500 -r ${S}:500 -g`);
    exchange();
    for (const plane of planes) plane.wait(200_000);
    expect(client(secured(fromClient(C, VIP, { protocol })))).toBe("redirect route");
    for (const plane of planes) plane.wait(200_000);
    expect(client(secured(fromClient(C, VIP, { protocol })))).toBe("redirect route");
    await apply(`-d -u ${VIP}:500 -r ${S}:500`);
    expect(client(secured(fromClient(C, VIP, { protocol })))).toBe("drop dest-gone");
    await apply("expire_nodest_conn=1");
    for (const plane of planes) plane.wait(2000);
    expect(client(secured(fromClient(C, VIP, { protocol })))).toBe("pass not-scheduled");
  });
});

describe("an ICMP error about a tunnel of ours", () => {
  const ROUTER = "10.2.0.19";
  const inner = (df = true) => ipv4(C, VIP, { ttl: 63, df }).tcp(4000, 80, "S", { payload: "some data" });
  const wraps: Readonly<Record<string, readonly [options: string, around: (outer: Frame) => Frame, overhead: number]>> = {
    ipip: ["", (outer) => outer, 20],
    gre: ["--tun-type gre", (outer) => outer.gre(), 24],
    "gre with a checksum": ["--tun-type gre --tun-csum", (outer) => outer.gre({ checksum: true }), 28],
    gue: ["--tun-type gue --tun-port 6080", (outer) => outer.udp(40000, 6080, { checksum: 0 }).gue(), 32],
  };
  const quote = (around: (outer: Frame) => Frame, to = S, df = true): Uint8Array =>
    around(ipv4(DIRECTOR, to, { ttl: 63, df }))
      .ipv4(C, VIP, { ttl: 63, df })
      .tcp(4000, 80, "S", { payload: "some data" })
      .bytes();
  const error = (code: number, mtu: number, payload: Uint8Array, more: { checksum?: number } = {}) =>
    fromServer(ROUTER, DIRECTOR).icmp(3, code, { rest: mtu, payload, ...more });
  const big = (bytes: number) =>
    client(fromClient(C, VIP, { df: true }).tcp(4000, 80, "A", { payload: new Uint8Array(bytes - 40) }));

  describe.each(Object.entries(wraps))("%s", (_name, [options, around, overhead]) => {
    beforeEach(async () => {
      await apply(`-A -t ${VIP}:80 -s rr\n-a -t ${VIP}:80 -r ${S}:80 -i ${options}`);
      expect(client(fromClient(C, VIP, { df: true }).tcp(4000, 80, "S"))).toBe("redirect tunnel");
    });

    test("reaches the client as one about the packet inside", () => {
      const told = send(error(1, 0, quote(around)), "server");
      expect(told.becomes).toBe("redirect icmp-related");
      const expected = toClient(C, VIP, { ttl: 64, tos: 0xc0 }).icmp(3, 1, { payload: inner().bytes() }).bytes();
      const asExpected: Seen = { verdict: "redirect", reason: "icmp-related", frame: expected };
      expect(without({ ...asExpected, frame: told.frame })).toEqual(without(asExpected));
    });

    test("teaches the path's MTU, which does not widen again", () => {
      expect(big(1400 - overhead)).toBe("redirect tunnel");
      expect(server(error(4, 1300, quote(around)))).toBe("redirect icmp-related");
      expect(big(1300 - overhead)).toBe("redirect tunnel");
      expect(big(1301 - overhead)).toBe("tx too-big");
      expect(server(error(4, 1400, quote(around)))).toBe("redirect icmp-related");
      expect(big(1301 - overhead)).toBe("tx too-big");
      expect(server(error(4, 60, quote(around)))).toBe("redirect icmp-related");
      expect(big(1300 - overhead)).toBe("redirect tunnel");
    });

    test("is swallowed when the client's packet may be fragmented", () => {
      expect(server(error(4, 1300, quote(around, S, false)))).toBe("drop icmp-swallowed");
      expect(big(1301 - overhead)).toBe("tx too-big");
    });

    test("is dropped when its checksum is wrong, and is none when it is about another host or cut short", () => {
      expect(server(error(1, 0, quote(around), { checksum: 1 }))).toBe("drop icmp-checksum");
      expect(server(error(1, 0, quote(around, S2)))).toBe("pass icmp");
      expect(server(error(1, 0, quote(around).subarray(0, 28)))).toBe("pass icmp");
    });
  });
});

test("SCTP in fragments by NAT: what is there is summed", async () => {
  await apply(`-A --sctp-service ${VIP}:80 -s rr\n-a --sctp-service ${VIP}:80 -r ${S}:8080 -m`);
  const init = { chunks: [{ type: 1, body: new Uint8Array(16) }] };
  expect(client(fromClient(C, VIP, { moreFragments: true }).sctp(4000, 80, init))).toBe("redirect nat");
  expect(client(fromClient(C, VIP).sctp(4001, 80, init))).toBe("redirect nat");
});

test("port 20 is looked at after drop_packet", async () => {
  await apply(`-A -t ${VIP}:80 -s rr\n-a -t ${VIP}:80 -r ${S}:80 -m\ndrop_packet=3\nam_droprate=2`);
  const from20 = () => client(fromClient(C, VIP).tcp(20, 80, "S"));
  expect([from20(), from20(), from20(), from20()].map((each) => each.split(" ")[1]).toSorted()).toEqual([
    "drop-packet",
    "drop-packet",
    "not-scheduled",
    "not-scheduled",
  ]);
});
