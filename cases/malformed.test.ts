import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ipv4 } from "../src/wire/build.ts";
import { DataPathPlane } from "./data-path-plane.ts";
import { operationsOf } from "./lines.ts";
import { ModelPlane } from "./model-plane.ts";
import { fromClient, fromServer, type Side, VIP } from "./network.ts";
import { describe as text } from "./print.ts";
import { Random } from "./random.ts";
import { stateText } from "./script.ts";

/** Packets that are not what they say: none opens, moves or ends a conn, and each is counted under exactly one reason. */

const C = "10.1.0.3";
const S = "10.2.0.11";
const model = new ModelPlane(64);
let dataPath: DataPathPlane;

beforeAll(async () => {
  dataPath = new DataPathPlane(64, "xdp");
  const setup = await operationsOf(`
    -A -t 10.1.0.100:80 -s rr
    -a -t 10.1.0.100:80 -r 10.2.0.11:80 -m
    -A -u 10.1.0.100:53 -s rr
    -a -u 10.1.0.100:53 -r 10.2.0.11:53 -i
  `);
  for (const plane of [model, dataPath]) {
    plane.reset();
    plane.apply(setup);
    plane.send(fromClient(C, VIP).tcp(1000, 80, "S").bytes(), "client");
    plane.send(fromServer(S, C).tcp(80, 1000, "SA").bytes(), "server");
    plane.send(fromClient(C, VIP).udp(1000, 53).bytes(), "client");
  }
});
afterAll(() => dataPath.close());

/** Packets that each stage of the way has an opinion on; the last header ends at `headers`. */
const bases: readonly { readonly frame: Uint8Array; readonly by: Side; readonly headers: number }[] = [
  { frame: fromClient(C, VIP).tcp(2000, 80, "S", { payload: "more" }).bytes(), by: "client", headers: 54 },
  { frame: fromClient(C, VIP).tcp(1000, 80, "FA", { payload: "more" }).bytes(), by: "client", headers: 54 },
  {
    frame: fromClient(C, VIP, { options: new Uint8Array(40).fill(1) })
      .tcp(2000, 80, "S")
      .bytes(),
    by: "client",
    headers: 94,
  },
  { frame: fromClient(C, VIP).udp(2000, 53, { payload: "more" }).bytes(), by: "client", headers: 42 },
  { frame: fromClient(C, VIP).udp(1000, 53, { payload: "more" }).bytes(), by: "client", headers: 42 },
  { frame: fromServer(S, C).tcp(80, 1000, "FA", { payload: "more" }).bytes(), by: "server", headers: 54 },
  {
    frame: fromServer(S, C)
      .icmp(3, 1, { payload: ipv4(C, S).tcp(1000, 80, "A").bytes() })
      .bytes(),
    by: "server",
    headers: 14 + 20 + 8 + 20 + 8,
  },
  {
    frame: fromClient(C, VIP)
      .icmp(11, 0, {
        payload: ipv4(VIP, C, { options: [1, 1, 1, 1] })
          .tcp(80, 1000, "A")
          .bytes(),
      })
      .bytes(),
    by: "client",
    headers: 14 + 20 + 8 + 24 + 8,
  },
];

/** Passed to the stack, which will drop it, or dropped: in any case not forwarded. */
const harmless = /^(pass (malformed|bad-checksum|not-ip|not-host|icmp|protocol|no-service|fragment-unknown)|drop truncated)$/;

/** Sends it to the model and by both hooks, and looks at what they say, and at how many conns there are. */
function refused(frame: Uint8Array, by: Side): string {
  const about = `${text(frame)} ${Buffer.from(frame).toString("hex")}`;
  const { verdict, reason } = model.send(frame, by);
  const said = `${verdict} ${reason}`;
  expect(said, about).toMatch(harmless);
  for (const hook of ["xdp", "tc"] as const) {
    const plane = dataPath.through(hook);
    if (!plane.takes(frame)) continue;
    const seen = plane.send(frame, by);
    expect(`${seen.verdict} ${seen.reason}`, `${hook}: ${about}`).toBe(said);
  }
  for (const plane of [model, dataPath]) expect(plane.size(), about).toBe(2);
  return said;
}

function unchanged(during: () => void): void {
  const before = [model, dataPath].map(stateText);
  during();
  expect([model, dataPath].map(stateText)).toEqual(before);
  expect(dataPath.complaints()).toEqual([]);
}

/** The frame with some bytes changed, and its IP header's checksum right unless told otherwise. */
function edited(frame: Uint8Array, edit: (view: DataView) => void, isSummed = true): Uint8Array {
  const copy = frame.slice();
  const view = new DataView(copy.buffer);
  edit(view);
  if (isSummed && copy.length >= 34) sumHeader(view);
  return copy;
}

function sumHeader(view: DataView): void {
  const end = Math.min(14 + Math.max(20, (view.getUint8(14) & 15) * 4), view.byteLength & ~1);
  view.setUint16(24, 0);
  let sum = 0;
  for (let at = 14; at < end; at += 2) sum += view.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  view.setUint16(24, ~sum & 0xffff);
}

describe("every length that cuts a header", () => {
  for (const [i, { frame, by, headers }] of bases.entries()) {
    test(`the frame ends early: ${text(frame)} (${i})`, () => {
      unchanged(() => {
        for (let length = 14; length < frame.length; length++)
          expect(refused(frame.subarray(0, length), by)).toBe("pass malformed");
      });
    });
    test(`the packet says it ends early: ${text(frame)} (${i})`, () => {
      unchanged(() => {
        for (let length = 0; length < headers - 14; length++) {
          const shorter = edited(frame, (view) => view.setUint16(16, length));
          refused(shorter, by); // padding behind it
          refused(shorter.subarray(0, Math.max(14 + length, 14)), by);
        }
      });
    });
  }
});

describe("every value of a header's fields that cannot be", () => {
  test.each([...Array(16).keys()].filter((version) => version !== 4))("IP version %i", (version) => {
    unchanged(() => {
      for (const { frame, by } of bases) {
        const changed = edited(frame, (view) => view.setUint8(14, (version << 4) | (view.getUint8(14) & 15)));
        expect(refused(changed, by)).toBe("pass malformed");
      }
    });
  });

  test("IP header lengths below 20 bytes and beyond the packet", () => {
    unchanged(() => {
      for (const { frame, by } of bases) {
        for (let words = 0; words < 5; words++)
          expect(
            refused(
              edited(frame, (view) => view.setUint8(14, 0x40 | words)),
              by,
            ),
          ).toBe("pass malformed");
        const short = edited(frame.subarray(0, 14 + 40), (view) => {
          view.setUint8(14, 0x4f);
          view.setUint16(16, 40);
        });
        expect(refused(short, by)).toBe("pass malformed");
      }
    });
  });

  test("IP total lengths beyond the frame", () => {
    unchanged(() => {
      for (const { frame, by } of bases)
        for (const more of [1, 2, 100, 65535 - frame.length])
          expect(
            refused(
              edited(frame, (view) => view.setUint16(16, frame.length - 14 + more)),
              by,
            ),
          ).toBe("pass malformed");
    });
  });

  test("every single bit of the IP header turned", () => {
    unchanged(() => {
      for (const { frame, by } of bases)
        for (let bit = 14 * 8; bit < (14 + (frame[14]! & 15) * 4) * 8; bit++)
          refused(
            edited(frame, (view) => view.setUint8(bit >> 3, view.getUint8(bit >> 3) ^ (0x80 >> (bit & 7))), false),
            by,
          );
    });
  });

  test("other protocols and EtherTypes", () => {
    unchanged(() => {
      const { frame, by } = bases[0]!;
      for (const protocol of [0, 2, 4, 41, 47, 58, 255])
        expect(
          refused(
            edited(frame, (view) => view.setUint8(23, protocol)),
            by,
          ),
        ).toBe("pass protocol");
      for (const type of [0, 46, 0x0806, 0x8100, 0x88cc, 0xffff])
        expect(
          refused(
            edited(frame, (view) => view.setUint16(12, type), false),
            by,
          ),
        ).toBe("pass not-ip");
    });
  });
});

/** One way to break a frame for good. */
const breakages: readonly ((frame: Uint8Array, headers: number, random: Random) => Uint8Array)[] = [
  (frame, _, random) => frame.subarray(0, 14 + random.below(frame.length - 14)),
  (frame, headers, random) => edited(frame, (view) => view.setUint16(16, random.below(headers - 14))),
  (frame, _, random) => edited(frame, (view) => view.setUint16(16, frame.length - 13 + random.below(65535 - frame.length))),
  (frame, _, random) =>
    edited(frame, (view) => view.setUint8(14, (random.pick([0, 1, 2, 3, 5, 6, 7, 15]) << 4) | random.below(16))),
  (frame, _, random) => edited(frame, (view) => view.setUint8(14, 0x40 | random.below(5))),
  (frame, _, random) => edited(frame, (view) => view.setUint16(24, view.getUint16(24) ^ (1 + random.below(0xfffe))), false),
  (frame, _, random) => Uint8Array.from([...frame.subarray(0, 12), 8, 0, ...random.bytes(random.below(100))]),
  (frame, _, random) => random.bytes(14 + random.below(frame.length)),
];

const COUNT = Number(process.env.LVSD_MALFORMED ?? 20_000);

test(`${COUNT} malformed packets by chance (LVSD_MALFORMED=1000000 for more)`, { timeout: 3_600_000 }, () => {
  const random = new Random(1);
  unchanged(() => {
    for (let n = 0; n < COUNT; n++) {
      const { frame, by, headers } = random.pick(bases);
      refused(random.pick(breakages)(frame, headers, random), by);
    }
  });
});
