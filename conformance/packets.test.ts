import { describe, expect, it } from "vitest";
import { addressBytes, addressText, bytesOf, crc32c, hexOf } from "./bytes.ts";
import { craft, parsePacket } from "./craft.ts";
import { decode } from "./decode.ts";

const expected = { ids: new Set([0x1234]), guePorts: new Set([6080]) };
const packets = (text: string): Uint8Array[] => craft(parsePacket(text.split(" ")));
const roundTrip = (text: string): string => decode(packets(text)[0]!, expected).text;

describe("packets as words", () => {
  it("gives the bytes that were captured from a real kernel for a NAT request (spec A.5)", () => {
    const words = "tcp 10.1.0.3:1004 > 10.2.0.11:80 S df=1 ttl=63 seq=1000 win=8192";
    expect(hexOf(packets(words)[0]!)).toBe("45000028123440003f06158c0a0100030a02000b03ec0050000003e8000000005002200073ae0000");
  });

  for (const [words, text] of [
    ["tcp 10.1.0.3:1 > 10.1.0.100:80 SA", "tcp 10.1.0.3:1 > 10.1.0.100:80 SA seq=1000 ack=0 win=8192 ttl=64 id=0x1234 len=40"],
    [
      "tcp 10.1.0.3:1 > 10.1.0.100:80 S csum=bad",
      "tcp 10.1.0.3:1 > 10.1.0.100:80 S seq=1000 ack=0 win=8192 ttl=64 id=0x1234 len=40 csum=bad",
    ],
    ["udp 10.1.0.3:1 > 10.1.0.100:53 csum=0 payload=hi", "udp 10.1.0.3:1 > 10.1.0.100:53 ttl=64 id=0x1234 len=30 csum=0"],
    ["udp [fd01::3]:1 > [fd01::100]:53 ttl=9 tos=4", "udp [fd01::3]:1 > [fd01::100]:53 ttl=9 tos=4 len=48"],
    [
      "sctp 10.1.0.3:1 > 10.1.0.100:9 chunks=INIT,ABORT",
      "sctp 10.1.0.3:1 > 10.1.0.100:9 chunks=INIT,ABORT tag=1 ttl=64 id=0x1234 len=56",
    ],
    [
      "icmp 10.1.0.1 > 10.1.0.3 3/4 mtu=900 quote=28 | udp 10.1.0.3:1 > 10.1.0.9:2 payload=*99",
      "icmp 10.1.0.1 > 10.1.0.3 3/4 field=900 ttl=64 id=0x1234 len=56 | udp 10.1.0.3:1 > 10.1.0.9:2 ttl=64 id=0x1234 len=127",
    ],
    [
      "gre 10.2.0.1 > 10.2.0.11 csum | tcp 10.1.0.3:1 > 10.1.0.100:80 S",
      "gre 10.2.0.1 > 10.2.0.11 flags=0x8000 type=0x0800 ttl=64 id=* len=68 | tcp 10.1.0.3:1 > 10.1.0.100:80 S seq=1000 ack=0 win=8192 ttl=64 id=0x1234 len=40",
    ],
    [
      "ipip 10.2.0.1 > 10.2.0.11 | ip fd01::3 > fd01::100 proto=99",
      "ipip 10.2.0.1 > 10.2.0.11 ttl=64 id=* len=60 | ip fd01::3 > fd01::100 proto=99 ttl=64 len=40",
    ],
  ] as const) {
    it(`reads back ${words}`, () => expect(roundTrip(words)).toBe(text));
  }

  it("masks an id that was not sent, and the header checksum over it", () => {
    const { text, hex } = decode(packets("udp 10.1.0.3:1 > 10.1.0.100:53 id=7")[0]!, expected);
    expect(text).toContain("id=*");
    expect(hex.slice(8, 12)).toBe("....");
    expect(hex.slice(20, 24)).toBe("....");
  });

  it("masks the source port of a GUE tunnel, but only inside the local port range", () => {
    const gue = (port: number): string =>
      decode(packets(`gue 10.2.0.1:${port} > 10.2.0.11:6080 | udp 10.1.0.3:1 > 10.1.0.100:53`)[0]!, expected).text;
    expect(gue(40000)).toContain("gue 10.2.0.1:* > 10.2.0.11:6080 header=00040000");
    expect(gue(1000)).toContain("gue 10.2.0.1:1000 >");
  });

  it("cuts a packet into fragments that keep its id and carry offsets", () => {
    const texts = packets("udp 10.1.0.3:1 > 10.1.0.100:53 payload=*40 fragments=24").map((p) => decode(p, expected).text);
    expect(texts).toEqual([
      "udp 10.1.0.3:1 > 10.1.0.100:53 ttl=64 mf id=0x1234 len=44",
      "fragment 10.1.0.3 > 10.1.0.100 proto=17 ttl=64 offset=24 id=0x1234 len=44",
    ]);
  });

  it("refuses what it does not know", () => {
    expect(() => parsePacket("tcp 10.1.0.3:1 > 10.1.0.100:80 tll=3".split(" "))).toThrow("unknown packet option tll=");
    expect(() => packets("tpc 10.1.0.3:1 > 10.1.0.100:80")).toThrow("unknown packet kind tpc");
  });
});

describe("addresses and sums", () => {
  for (const text of ["::", "::1", "fd01::100", "2001:db8:0:1:1:1:1:1", "1:0:0:2::3", "10.1.0.3"]) {
    it(`${text} survives bytes and back`, () => expect(addressText(addressBytes(text))).toBe(text));
  }
  it("CRC-32C of 32 zero bytes is that of RFC 3720 B.4", () => expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa));
  it("hexadecimal undoes itself", () => expect(hexOf(bytesOf("00ff10"))).toBe("00ff10"));
});
