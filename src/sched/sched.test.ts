import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Ip, ip } from "../net/ip.ts";
import { Cache } from "./cache.ts";
import { fold, hash32, hsiphash } from "./hash.ts";
import { type Candidate, dhTable, type Flow, mhTable, type Scheduler, schedulers, shTable } from "./index.ts";
import { overhead } from "./scheduler.ts";

type Mutable = { -readonly [key in keyof Candidate]: Candidate[key] };

/** A service and its dests A, B, C… (10.2.0.11 and up), with what a director does to them. */
class Pool {
  readonly list: Mutable[] = [];
  readonly scheduler: Scheduler;
  readonly flags: number[] = [];
  now = 0;
  draws: number[] = [];

  /** Dests are added in the order of `dests`, before or after the scheduler is bound. */
  constructor(name: string, dests: string, bound: "before" | "after" = "before") {
    const kind = schedulers.get(name)!;
    const all = dests.split(" ").map((text, i) => candidate(i + 1, text));
    if (bound === "after") this.list.unshift(...all.reverse());
    this.scheduler = kind.create(this.list, { family: "ipv4", now: 0 });
    if (bound === "before") for (const dest of all) this.add(dest);
  }
  add(dest: Mutable): void {
    this.list.unshift(dest);
    this.scheduler.added?.(this.list);
  }
  edit(letter: string, change: Partial<Candidate>): void {
    const dest = this.list.find((each) => letterOf(each) === letter)!;
    Object.assign(dest, change);
    if (change.weight) dest.lastWeight = change.weight;
    this.scheduler.edited?.(this.list);
  }
  delete(letter: string): void {
    const at = this.list.findIndex((each) => letterOf(each) === letter);
    const [dest] = this.list.splice(at, 1);
    this.scheduler.deleted?.(this.list, dest!.id, at);
  }
  pick(flow: Flow = flowFrom(ip("10.1.0.2"), 1000)): Mutable | undefined {
    const random = () => this.draws.shift() ?? 0;
    return this.scheduler.pick(this.list, flow, { now: this.now, random, flags: this.flags }) as Mutable | undefined;
  }
  /** A pick that becomes a connection: an active one for TCP, an inactive one for UDP. */
  connect(protocol: "tcp" | "udp", flow?: Flow): string {
    const dest = this.pick(flow);
    if (dest === undefined) return "-";
    if (protocol === "tcp") dest.activeConns++;
    dest.totalConns++;
    return letterOf(dest);
  }
  connections(protocol: "tcp" | "udp", count: number): string {
    return Array.from({ length: count }, () => this.connect(protocol)).join(" ");
  }
}

const letterOf = (dest: Candidate): string => String.fromCharCode(64 + dest.id);

/** "A3": dest 1 at 10.2.0.11:80 with weight 3. */
function candidate(id: number, text: string): Mutable {
  const weight = Number(text.slice(1));
  const counts = { overloaded: false, available: true, activeConns: 0, totalConns: 0 };
  return { id, addr: ip(`10.2.0.${10 + id}`), port: 80, family: "ipv4", weight, lastWeight: weight, ...counts };
}

const flowFrom = (sourceAddr: Ip, sourcePort: number, destinationAddr = ip("10.1.0.100")): Flow => {
  return { protocol: "tcp", sourceAddr, sourcePort, destinationAddr, destinationPort: 80 };
};

describe("picks as the kernel's (spec chapter 3)", () => {
  const rows: [scheduler: string, dests: string, protocol: "tcp" | "udp", picks: string, bound?: "after"][] = [
    ["rr", "A3 B2 C1", "tcp", "C B A C B A C B A"],
    ["rr", "A3 B2 C1", "udp", "C B A C B A C B A"],
    ["rr", "A3 B0 C1", "tcp", "C A C A"],
    ["wrr", "A3 B2 C1", "tcp", "C B A A B A C B A A B A C B"],
    ["wrr", "A4 B2 C6", "tcp", "C B A C C A C B A C C A C B"],
    ["wrr", "A5 B1 C1", "tcp", "C B A A A A A C B A A A A A"],
    ["wrr", "A1 B1 C0", "tcp", "B A B A"],
    ["wrr", "A3 B2 C1", "tcp", "A B A C B A A B A C B A A B", "after"],
    ["wrr", "A0 B0", "tcp", "- -"],
    ["lc", "A3 B2 C1", "tcp", "C B A C B A"],
    ["wlc", "A3 B2 C1", "tcp", "C B A A B A C B A A B A C B"],
    ["wlc", "A3 B2 C1", "udp", "C B A A B A C B A A B A C B"],
    ["wlc", "A3 B0 C1", "tcp", "C A A A C A A A"],
    ["sed", "A3 B2 C1", "tcp", "A B A C B A A B A C B A A B"],
    ["sed", "A3 B2 C1", "udp", "A A A A"],
    ["nq", "A3 B2 C1", "tcp", "C B A A B A A B A C B A A B"],
    ["nq", "A3 B2 C1", "udp", "C C C C"],
    ["fo", "A3 B2 C1", "tcp", "A A A A"],
    ["fo", "A1 B1 C1", "tcp", "C C C C"],
    ["ovf", "A3 B2 C1", "tcp", "A A A A B B B C C - -"],
    ["ovf", "A3 B2 C1", "udp", "A A A A A A"],
  ];
  for (const [name, dests, protocol, picks, bound] of rows) {
    test(`${name} ${dests} ${protocol}${bound ? ", bound to a filled service" : ""}: ${picks}`, () => {
      expect(new Pool(name, dests, bound).connections(protocol, picks.split(" ").length)).toBe(picks);
    });
  }
});

test("rr goes on with the one after the last, when that one is deleted, and a dest added at the head waits its turn", () => {
  const pool = new Pool("rr", "A1 B1 C1");
  expect(pool.connections("tcp", 2)).toBe("C B");
  pool.delete("B");
  expect(pool.connections("tcp", 2)).toBe("A C");
  pool.add(candidate(4, "D1"));
  expect(pool.connections("tcp", 3)).toBe("A D C");
});

test("rr and wrr skip an overloaded dest and give up when all are", () => {
  for (const name of ["rr", "wrr"]) {
    const pool = new Pool(name, "A3 B2 C1");
    pool.list[1]!.overloaded = true;
    expect(pool.connections("tcp", 8)).not.toContain("B");
    for (const dest of pool.list) dest.overloaded = true;
    expect(pool.connections("tcp", 3)).toBe("- - -");
    for (const dest of pool.list) dest.overloaded = false;
    expect(pool.connections("tcp", 8)).toContain("B");
  }
});

test("fo goes to the next weight while a dest is overloaded", () => {
  const pool = new Pool("fo", "A10 B5 C1");
  expect(pool.connections("tcp", 3)).toBe("A A A");
  pool.edit("A", { overloaded: true });
  expect(pool.connections("tcp", 3)).toBe("B B B");
});

test("wlc compares exactly where a product leaves the range of doubles", () => {
  const pool = new Pool("wlc", "A2147483646 B2147483647");
  for (const dest of pool.list) Object.assign(dest, { activeConns: 8_000_000, totalConns: 8_000_000 });
  expect(letterOf(pool.pick()!)).toBe("B");
  pool.list.reverse();
  expect(letterOf(pool.pick()!)).toBe("B");
});

test("dh picks by the packet's destination address", () => {
  const pool = new Pool("dh", "A3 B2 C1");
  const picks = Array.from({ length: 9 }, (_, i) => pool.connect("tcp", flowFrom(ip("10.1.0.2"), 1, ip(`10.1.0.${100 + i}`))));
  expect(picks.join("")).toBe("CACBABCBA");
  pool.edit("C", { weight: 0 });
  expect(pool.connect("tcp", flowFrom(ip("10.1.0.2"), 1, ip("10.1.0.100")))).toBe("-");
});

describe("clients of Appendix A.2 and A.3", () => {
  const clients = Array.from({ length: 40 }, (_, i) => ip(`172.16.${Math.floor(i / 7)}.${((i * 37) % 250) + 1}`));
  const rows: [scheduler: string, flags: number[], dests: string, ready: (pool: Pool) => void, picks: string][] = [
    ["sh", [], "A3 B2 C1", () => {}, "BCABBCAABCCABCBBAABAAAABAABABCABCCBAABAA"],
    ["sh", [2], "A3 B2 C1", () => {}, "CCBBAAAAAAACCBCCBBAAABAAACCBACCBBAABAAAA"],
    ["sh", [1], "A3 B2 C1", (pool) => pool.edit("B", { overloaded: true }), "ACACACAACCCAACAAAAAAAAAAAAAAACACCCCAAAAA"],
    ["sh", [], "A3 B2 C1", (pool) => pool.edit("B", { weight: 0 }), "A-CAA-CAA-AAA-CAA-CAACAAA-CAA-CAA-CAAA-A"],
    ["sh", [1], "A3 B2 C1", (pool) => pool.edit("B", { weight: 0 }), "AACAAACAAAAAAACAAACAACAAAACAAACAAACAAAAA"],
    ["mh", [], "A3 B2 C1", () => {}, "ABBCAABBBBCACCBABAACCACBBABBCAABAABBCBAA"],
    ["mh", [2], "A3 B2 C1", () => {}, "BBBCBBCBACBAAABBABBCAABCBAAAABBCAACABACB"],
    ["mh", [1], "A3 B2 C1", (pool) => pool.edit("B", { weight: 0 }), "ACCCAAAAAACACCAAAAACCACAAAACCAAAAACACAAA"],
  ];
  for (const [name, flags, dests, ready, picks] of rows) {
    test(`${name} with flags [${flags}]: ${picks}`, () => {
      const pool = new Pool(name, dests);
      pool.flags.push(...flags);
      ready(pool);
      expect(clients.map((client, i) => pool.connect("tcp", flowFrom(client, 5000 + i))).join("")).toBe(picks);
    });
  }

  test("mh leaves the clients of other dests alone when one is set to weight 0, and its own without a dest", () => {
    const pool = new Pool("mh", "A3 B2 C1");
    const before = clients.map((client) => pool.connect("tcp", flowFrom(client, 1))).join("");
    pool.edit("B", { weight: 0 });
    expect(clients.map((client) => pool.connect("tcp", flowFrom(client, 1))).join("")).toBe(before.replaceAll("B", "-"));
  });
});

describe("tables", () => {
  const text = (table: Int32Array | undefined) => String.fromCharCode(...[...(table ?? [])].map((id) => 64 + id));
  const count = (table: Int32Array | undefined, dests: number) => {
    return Array.from({ length: dests }, (_, i) => table?.filter((id) => id === i + 1).length);
  };
  const listOf = (dests: string) => new Pool("rr", dests).list;

  test("sh gives each dest its weight in buckets", () => {
    const table = shTable(listOf("A3 B2 C1"));
    expect(text(table).slice(0, 12)).toBe("CBBAAACBBAAA");
    expect(count(table, 3)).toEqual([127, 86, 43]);
    expect(count(shTable(listOf("A300 B0")), 2)).toEqual([255, 1]);
  });

  test("dh gives each dest the same number of buckets", () => {
    expect(text(dhTable(listOf("A3 B2 C1"))).slice(0, 7)).toBe("CBACBAC");
  });

  test("mh's table is the kernel's", () => {
    const table = text(mhTable(listOf("A3 B2 C1"), "ipv4"));
    expect(table.slice(0, 64)).toBe("BBACAACBAAABAAACCBAACBABABACAACBABAAAAACCCAABABAAABCAABABAABBABC");
    expect(crc32(table)).toBe(2562600140);
    const equal = text(mhTable(listOf("A1 B1 C1"), "ipv4"));
    expect(equal.slice(0, 64)).toBe("BBACCACCCAABABACCCCACBABABBCCACBABACBAACCCCABCBAABBCCABCBAABBABC");
    expect(crc32(equal)).toBe(655314448);
  });

  const counts: [dests: string, slots: number[]][] = [
    ["A3 B2 C1", [2046, 1364, 683]],
    ["A1 B1 C1", [1364, 1364, 1365]],
    ["A300 B200 C1", [2403, 1625, 65]],
    ["A65535 B1 C1", [3967, 63, 63]],
    ["A100 B50 C25", [2338, 1170, 585]],
    ["A7 B0 C3", [2863, 0, 1230]],
    ["A0 B0 C0", [0, 0, 0]],
  ];
  for (const [dests, slots] of counts) {
    test(`mh ${dests}: ${slots} slots`, () => expect(count(mhTable(listOf(dests), "ipv4"), 3)).toEqual(slots));
  }

  test("mh's table has room for 4093 dests", () => {
    const dest = candidate(1, "A1");
    const list = Array.from({ length: 4093 }, (_, i) => ({ ...dest, id: i + 1, addr: ip(`10.3.${i >> 8}.${i & 255}`) }));
    expect(new Set(mhTable(list, "ipv4")).size).toBe(4093);
    expect(mhTable([dest, ...list], "ipv4")).toBeUndefined();
  });
});

describe("hashes", () => {
  const addresses: [address: string, eight: number, ten?: number][] = [
    ["10.0.0.1", 39, 159],
    ["10.1.0.100", 126, 506],
    ["192.168.1.1", 136, 547],
    ["172.16.0.1", 122, 488],
    ["255.255.255.255", 158, 632],
    ["0.0.0.0", 0, 0],
    ["2001:db8::1", 63],
  ];
  for (const [address, eight, ten] of addresses) {
    test(`hash32 of ${address}`, () => {
      const word = fold(ip(address), address.includes(":") ? "ipv6" : "ipv4");
      expect(hash32(word, 8)).toBe(eight);
      if (ten !== undefined) expect(hash32(word, 10)).toBe(ten);
    });
  }

  const words: [word: number, key1: number, key2: number][] = [
    [0, 0x1d5a77c2, 0xf882433f],
    [1, 0x16ec66b2, 0x8210aad1],
    [0x0a000001, 0x03080ce4, 0x48f9d0c1],
    [0x0a020050, 0x9a3cdf63, 0x0aac5038],
    [0xffffffff, 0x22c5d719, 0xf75a0f5d],
  ];
  for (const [word, key1, key2] of words) {
    test(`hsiphash of ${word}`, () => expect([hsiphash(word, 2654435761), hsiphash(word, 2654446892)]).toEqual([key1, key2]));
  }

  test("an IPv6 dest of an IPv4 service counts with its first word", () => {
    expect(fold(ip("2001:db8::1"), "ipv4")).toBe(0x20010db8);
    expect(fold(ip("2001:db8::1"), "ipv6")).toBe(0x20010db9);
    expect(fold(ip("10.0.0.1"), "ipv6")).toBe(0x0a000001);
  });
});

describe("twos", () => {
  const total = 6;
  const draw = (r: number) => (r + 0.5) / (total + 1);
  const rows: [r1: number, r2: number, loads: Record<string, number>, pick: string][] = [
    ...[0, 1].map((r) => [r, 0, {}, "C"] as [number, number, Record<string, number>, string]),
    ...[2, 3].map((r) => [r, r, {}, "B"] as [number, number, Record<string, number>, string]),
    ...[4, 5, 6].map((r) => [r, r, {}, "A"] as [number, number, Record<string, number>, string]),
    [4, 3, { A: 1, B: 1 }, "A"],
    [4, 3, { A: 1, B: 0 }, "B"],
  ];
  for (const [r1, r2, loads, pick] of rows) {
    test(`draws ${r1} and ${r2} of 6 with active ${JSON.stringify(loads)}: ${pick}`, () => {
      const pool = new Pool("twos", "A3 B2 C1");
      for (const dest of pool.list)
        Object.assign(dest, { activeConns: loads[letterOf(dest)] ?? 0, totalConns: loads[letterOf(dest)] ?? 0 });
      pool.draws = [draw(r1), draw(r2)];
      expect(letterOf(pool.pick()!)).toBe(pick);
    });
  }
});

describe("lblc and lblcr", () => {
  const flowTo = (n: number) => flowFrom(ip("10.1.0.2"), 1000, ip(`10.4.0.${n}`));
  const sequence = [1, 2, 3, 4, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 5];

  for (const name of ["lblc", "lblcr"]) {
    test(`${name} keeps a destination on its dest while no other has less than half its weight`, () => {
      const pool = new Pool(name, "A3 B2 C1");
      expect(sequence.map((n) => pool.connect("tcp", flowTo(n))).join("")).toBe("CBAACCCCCCCBBBBA");
    });

    test(`${name} leaves a crowded dest when another is idle`, () => {
      const pool = new Pool(name, "A1 B10");
      expect(pool.connect("tcp", flowTo(1))).toBe("B");
      pool.list[0]!.activeConns = 11;
      pool.list[0]!.totalConns = 11;
      expect(pool.connect("tcp", flowTo(1))).toBe("A");
    });

    test(`${name} forgets a destination after a day, at a full check every 29 minutes`, () => {
      const pool = new Pool(name, "A1 B1");
      pool.connect("tcp", flowTo(1));
      pool.scheduler.tick?.(86_400_000 - 60_000);
      expect(pool.scheduler.refersTo?.(2)).toBe(true);
      pool.scheduler.tick?.(86_400_000 + 30 * 60_000);
      expect(pool.scheduler.refersTo?.(2)).toBe(false);
    });

    test(`${name} chooses anew when its dest is deleted`, () => {
      const pool = new Pool(name, "A1 B1");
      expect(pool.connect("tcp", flowTo(1))).toBe("B");
      pool.delete("B");
      expect(pool.connect("tcp", flowTo(1))).toBe("A");
    });
  }

  test("lblcr keeps the helper in the set and takes the most loaded out after a day", () => {
    const pool = new Pool("lblcr", "A1 B10");
    pool.connect("tcp", flowTo(1));
    Object.assign(pool.list[0]!, { activeConns: 200, totalConns: 200 });
    expect(pool.connect("tcp", flowTo(1))).toBe("A");
    pool.now = 86_400_001;
    pool.connect("tcp", flowTo(1));
    expect([1, 2].map((id) => pool.scheduler.refersTo?.(id))).toEqual([true, false]);
  });

  test("a cache takes 24576 destinations and is cut back to 16384 once they have been idle for 6 minutes", () => {
    const cache = new Cache<number>("ipv4", 0, () => 86_400);
    for (let i = 0; i < 25_000; i++) cache.put(ip(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`), 1, 0);
    expect(cache.size).toBe(24_576);
    cache.tick(359_999);
    expect(cache.size).toBe(24_576);
    cache.tick(600_000);
    expect(cache.size).toBeLessThanOrEqual(16_384);
    expect(cache.size).toBeGreaterThan(16_300);
  });
});

test("no scheduler ever picks a dest of weight 0 or an overloaded one, and with one usable dest those without a table find it", () => {
  const shape = fc.record({
    weight: fc.integer({ min: 0, max: 5 }),
    overloaded: fc.boolean(),
    activeConns: fc.nat(9),
    totalConns: fc.nat(9),
  });
  fc.assert(
    fc.property(fc.array(shape, { minLength: 1, maxLength: 8 }), fc.constantFrom(...schedulers.keys()), (shapes, name) => {
      const pool = new Pool(name, shapes.map(({ weight }) => `A${weight}`).join(" "));
      for (const [i, { overloaded, totalConns }] of shapes.entries()) Object.assign(pool.list[i]!, { overloaded, totalConns });
      const hasUsable = pool.list.some((dest) => dest.weight > 0 && !dest.overloaded);
      for (let i = 0; i < 20; i++) {
        const dest = pool.pick();
        if (dest !== undefined) expect(dest.weight > 0 && !dest.overloaded).toBe(true);
        else if (!["dh", "sh", "mh"].includes(name)) expect(hasUsable).toBe(false);
      }
    }),
  );
});

test("wrr gives each dest its weight in a round", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 }), (weights) => {
      const pool = new Pool("wrr", weights.map((weight) => `A${weight}`).join(" "), "after");
      const divisor = weights.reduce(function gcd(a: number, b: number): number {
        return b === 0 ? a : gcd(b, a % b);
      });
      const round = weights.reduce((a, b) => a + b) / divisor;
      const picks = Array.from({ length: round }, () => pool.pick()!.id);
      for (const dest of pool.list) expect(picks.filter((id) => id === dest.id)).toHaveLength(dest.weight / divisor);
    }),
  );
});

test("overhead is 256 times active plus all", () => {
  expect(overhead({ ...candidate(1, "A1"), activeConns: 2, totalConns: 5 })).toBe(517);
});
