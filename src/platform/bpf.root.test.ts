import { openSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Fault } from "../fault.ts";
import {
  enableRunStats,
  mapFlag,
  mapInfo,
  mapType,
  openMapById,
  openPinned,
  openProgramById,
  pin,
  programInfo,
  programType,
} from "./bpf.ts";
import { BPF_EXIST, BPF_NOEXIST, BpfMap } from "./bpf-map.ts";
import { BpfObject } from "./bpf-object.ts";
import { closeFd, possibleCpus } from "./process.ts";
import { TestRun, testRun } from "./test-run.ts";
import { compileBpf, mountBpffs, type Scratch, scratch } from "./testing.ts";

const SOURCE = `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 4); __type(key, __u32); __type(value, __u64);
         __uint(map_flags, BPF_F_MMAPABLE); } counters SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 16); __type(key, __u32); __type(value, __u64); } flows SEC(".maps");
const volatile __u32 verdict = 1;
const volatile __u64 step = 1;
SEC("xdp") int counting(struct xdp_md *ctx) {
  __u32 key = 2;
  __u64 *value = bpf_map_lookup_elem(&counters, &key);
  if (value) __sync_fetch_and_add(value, step);
  unsigned char *data = (void *)(long)ctx->data;
  if (data + 14 <= (unsigned char *)(long)ctx->data_end) data[0]++;
  __u64 one = 1; key = ctx->rx_queue_index;
  bpf_map_update_elem(&flows, &key, &one, BPF_ANY);
  return verdict;
}
SEC("xdp") int short_packet(struct xdp_md *ctx) { return bpf_xdp_adjust_tail(ctx, -20) ? 0 : 3; }
SEC("xdp") int came_from(struct xdp_md *ctx) { return ctx->ingress_ifindex; }
SEC("tc") int marking(struct __sk_buff *skb) { skb->mark = skb->mark + 1; return 0; }
char LICENSE[] SEC("license") = "GPL";
`;

const BROKEN = `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("xdp") int reads_too_far(struct xdp_md *ctx) {
  return ((volatile char *)(long)ctx->data)[100];
}
char LICENSE[] SEC("license") = "GPL";
`;

const u32 = (n: number) => new Uint8Array(new Uint32Array([n]).buffer);
const u64 = (n: number) => new Uint8Array(new BigUint64Array([BigInt(n)]).buffer);
const toU64 = (bytes: Uint8Array) => Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));

let dir: Scratch;
let bpffs: Scratch;
let path: string;
beforeAll(() => {
  dir = scratch();
  bpffs = mountBpffs(dir.path);
  path = compileBpf(dir.path, "counting", SOURCE);
});
afterAll(() => {
  bpffs.remove();
  dir.remove();
});

function loaded(prepare: (object: BpfObject) => void = () => {}): BpfObject {
  const object = BpfObject.open(path);
  prepare(object);
  object.load();
  return object;
}

/** Whatever `use` does, the object is closed. */
function withObject<T>(use: (object: BpfObject) => T, prepare?: (object: BpfObject) => void): T {
  const object = loaded(prepare);
  try {
    return use(object);
  } finally {
    object.close();
  }
}

function faultOf(call: () => unknown): Fault {
  try {
    call();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error("no Fault");
}

describe("an object", () => {
  test("lists its maps and programs", () => {
    withObject((object) => {
      const maps = object.maps();
      expect(maps.map((map) => map.name)).toEqual(["counters", "flows", "counting.rodata"]);
      expect(maps[0]).toMatchObject({ type: mapType.array, keySize: 4, valueSize: 8, maxEntries: 4, flags: mapFlag.mmapable });
      expect(maps[0]!.fd).toBeGreaterThan(2);
      expect(object.programs().map(({ name, section }) => [name, section])).toEqual([
        ["counting", "xdp"],
        ["short_packet", "xdp"],
        ["came_from", "xdp"],
        ["marking", "tc"],
      ]);
    });
  });

  test("is loaded under the name that was asked for", () => {
    const object = BpfObject.open(path, { name: "lvs" });
    expect(object.maps().map((map) => map.name)).toContain("lvs.rodata");
    object.close();
  });

  test("has the sizes and constants that were set before loading", () => {
    withObject(
      (object) => {
        const flows = object.map("flows");
        expect(flows.info).toMatchObject({ name: "flows", type: mapType.hash, maxEntries: 1000 });
        flows.close();
        expect(testRun(object.programFd("counting"), { data: new Uint8Array(60) }).retval).toBe(2);
      },
      (object) => {
        object.setMaxEntries("flows", 1000);
        const rodata = object.initialValue(".rodata");
        expect(rodata.length).toBe(16);
        const view = new DataView(rodata.buffer);
        const at = view.getUint32(0, true) === 1 && view.getUint32(4, true) === 0 ? 0 : 8; // verdict, before or after step
        view.setUint32(at, 2, true);
        object.setInitialValue(".rodata", rodata);
      },
    );
  });

  test("refuses constants of another length and names it does not have", () => {
    const object = BpfObject.open(path);
    expect(faultOf(() => object.setInitialValue(".rodata", new Uint8Array(3))).code).toBe("EINVAL");
    expect(faultOf(() => object.setMaxEntries("nowhere", 1)).code).toBe("ENOENT");
    expect(faultOf(() => object.setAutoload("nowhere", false)).code).toBe("ENOENT");
    expect(faultOf(() => BpfObject.open("/nonexistent.bpf.o")).code).toBe("ENOENT");
    object.close();
    object.close();
  });

  test("that is not an object file is refused in libbpf's words", () => {
    const fault = faultOf(() => BpfObject.open(`${dir.path}/counting.bpf.c`));
    expect(fault.message).toMatch(/libbpf: .*ELF/);
  });

  test("uses the map it is given", () => {
    const flows = BpfMap.create({ type: mapType.hash, name: "mine", keySize: 4, valueSize: 8, maxEntries: 16 });
    withObject(
      (object) => {
        testRun(object.programFd("counting"), { data: new Uint8Array(60) });
        expect(flows.lookup(u32(0), new Uint8Array(8))).toBe(true);
      },
      (object) => object.reuseMap("flows", flows.fd),
    );
    expect(flows.info.name).toBe("mine");
    flows.close();
  });

  test("takes over the map that is pinned at the path it was given", () => {
    const directory = openSync(bpffs.path, "r"); // as bpffs.ts reaches a mount of another namespace
    const prepare = (object: BpfObject) => object.setPinPath("flows", `/proc/self/fd/${directory}/flows`);
    const flowsOf = (object: BpfObject) => object.map("flows");
    const first = withObject(flowsOf, prepare);
    first.update(u32(7), u64(70));
    const second = withObject(flowsOf, prepare);
    closeFd(directory);
    const value = new Uint8Array(8);
    expect(second.lookup(u32(7), value)).toBe(true);
    expect(toU64(value)).toBe(70);
    expect(second.info.id).toBe(first.info.id);
    for (const map of [first, second]) map.close();
  });

  test("leaves out programs and maps that are switched off", () => {
    withObject(
      (object) => {
        expect(faultOf(() => object.programFd("counting")).code).toBe("ENOENT");
        expect(object.maps().find((map) => map.name === "flows")?.fd).toBe(-1);
        expect(programInfo(object.programFd("short_packet")).type).toBe(programType.xdp);
      },
      (object) => {
        object.setAutoload("counting", false);
        object.setAutocreate("flows", false);
      },
    );
  });

  test("can have a program's type set by hand", () => {
    withObject(
      (object) => expect(programInfo(object.programFd("marking")).type).toBe(4),
      (object) => object.setProgramType("marking", 4), // BPF_PROG_TYPE_SCHED_ACT
    );
  });

  test("that the verifier refuses says why, in a few lines", () => {
    const object = BpfObject.open(compileBpf(dir.path, "broken", BROKEN), { logLines: 4 });
    const fault = faultOf(() => object.load());
    expect(fault.code).toBe("EACCES");
    expect(fault.message).toContain("invalid access to packet");
    expect(fault.message.split("\n").length).toBeLessThanOrEqual(6);
    expect(object.log).toContain("BEGIN PROG LOAD LOG");
    object.close();
  });
});

describe("a map", () => {
  const withMap = (use: (map: BpfMap) => void, type: number = mapType.hash, maxEntries = 1000, valueSize = 8) => {
    const map = BpfMap.create({ type, name: "test", keySize: 4, valueSize, maxEntries });
    try {
      use(map);
    } finally {
      map.close();
    }
  };

  test("stores, finds, replaces and deletes", () => {
    withMap((map) => {
      const value = new Uint8Array(8);
      expect(map.lookup(u32(1), value)).toBe(false);
      map.update(u32(1), u64(10));
      expect(map.lookup(u32(1), value)).toBe(true);
      expect(toU64(value)).toBe(10);
      expect(faultOf(() => map.update(u32(1), u64(11), BPF_NOEXIST)).code).toBe("EEXIST");
      expect(faultOf(() => map.update(u32(2), u64(11), BPF_EXIST)).code).toBe("ENOENT");
      expect(map.delete(u32(1))).toBe(true);
      expect(map.delete(u32(1))).toBe(false);
      map.update(u32(3), u64(30));
      expect(map.lookupAndDelete(u32(3), value)).toBe(true);
      expect(toU64(value)).toBe(30);
      expect(map.lookupAndDelete(u32(3), value)).toBe(false);
    });
  });

  test("that is full answers E2BIG", () => {
    withMap(
      (map) => {
        map.update(u32(1), u64(1));
        expect(faultOf(() => map.update(u32(2), u64(2))).code).toBe("E2BIG");
      },
      mapType.hash,
      1,
    );
  });

  test("does not take buffers that the kernel would write past", () => {
    withMap((map) => {
      expect(() => map.lookup(u32(1), new Uint8Array(7))).toThrow(RangeError);
      expect(() => map.lookup(new Uint8Array(3), new Uint8Array(8))).toThrow(RangeError);
      expect(() => map.nextKey(undefined, new Uint8Array(2))).toThrow(RangeError);
      expect(() => map.updateBatch(u32(1), u64(1), 2)).toThrow(RangeError);
      expect(() => map.deleteBatch(u32(1), 2)).toThrow(RangeError);
    });
  });

  test("is walked key by key", () => {
    withMap((map) => {
      for (let n = 0; n < 20; n++) map.update(u32(n), u64(n));
      const seen = new Set<number>();
      const key = new Uint8Array(4);
      for (let more = map.nextKey(undefined, key); more; more = map.nextKey(key, key))
        seen.add(new DataView(key.buffer).getUint32(0, true));
      expect(seen.size).toBe(20);
    });
  });

  test("is filled, read and emptied in batches", () => {
    withMap((map) => {
      const keys = new Uint8Array(Uint32Array.from({ length: 700 }, (_, n) => n).buffer);
      const values = new Uint8Array(BigUint64Array.from({ length: 700 }, (_, n) => BigInt(n * 2)).buffer);
      map.updateBatch(keys, values, 700);

      const seen = new Map<number, number>();
      const someKeys = new Uint8Array(256 * 4);
      const someValues = new Uint8Array(256 * 8);
      for (const cursor = map.newCursor(); !cursor.done; ) {
        const count = map.lookupBatch(cursor, someKeys, someValues);
        for (let i = 0; i < count; i++)
          seen.set(new DataView(someKeys.buffer).getUint32(4 * i, true), toU64(someValues.subarray(8 * i)));
      }
      expect(seen.size).toBe(700);
      expect([...seen].every(([key, value]) => value === key * 2)).toBe(true);

      expect(map.deleteBatch(keys, 700)).toBe(700);
      expect(map.nextKey(undefined, new Uint8Array(4))).toBe(false);
      expect(map.deleteBatch(keys, 1)).toBe(0);
    });
  });

  test("of a per-CPU type has a padded value for each possible CPU", () => {
    withMap(
      (map) => {
        expect(map.valueBytes).toBe(8 * possibleCpus());
        const value = new Uint8Array(map.valueBytes).fill(0x11);
        map.update(u32(0), value);
        const back = new Uint8Array(map.valueBytes);
        expect(map.lookup(u32(0), back)).toBe(true);
        expect(back[map.valueBytes - 8]).toBe(0x11);
      },
      mapType.percpuArray,
      1,
      4,
    );
  });

  test("of maps holds maps like its first", () => {
    const inner = BpfMap.create({ type: mapType.array, name: "inner", keySize: 4, valueSize: 8, maxEntries: 4 });
    const outer = BpfMap.create({ type: mapType.hashOfMaps, keySize: 4, valueSize: 4, maxEntries: 8, innerMapFd: inner.fd });
    outer.update(u32(1), u32(inner.fd));
    const id = new Uint8Array(4);
    expect(outer.lookup(u32(1), id)).toBe(true);
    const again = BpfMap.byId(new DataView(id.buffer).getUint32(0, true));
    expect(again.info.name).toBe("inner");
    for (const map of [again, outer, inner]) map.close();
  });

  test("is found again by its pin and by its id", () => {
    withMap((map) => {
      map.update(u32(1), u64(5));
      map.pin(`${bpffs.path}/pinned`);
      expect(faultOf(() => map.pin(`${bpffs.path}/pinned`)).code).toBe("EEXIST");
      const again = BpfMap.pinned(`${bpffs.path}/pinned`);
      expect(again.lookup(u32(1), new Uint8Array(8))).toBe(true);
      expect(again.info).toEqual(map.info);
      again.close();
      again.close();
      const fd = openMapById(map.info.id);
      expect(mapInfo(fd)).toEqual(map.info);
      closeFd(fd);
      expect(faultOf(() => openPinned(`${bpffs.path}/nothing`)).code).toBe("ENOENT");
    });
  });
});

describe("a map's memory", () => {
  test("is the map itself, for DataView, BigUint64Array and Atomics alike, through every mapping", () => {
    withObject((object) => {
      const counters = object.map("counters");
      const writer = counters.memory({ writable: true });
      const reader = counters.memory();
      try {
        const words = new BigUint64Array(writer.buffer);
        words[1] = 41n;
        expect(new DataView(reader.buffer).getBigUint64(8, true)).toBe(41n);
        expect(Atomics.add(words, 1, 1n)).toBe(41n);
        expect(Atomics.load(new BigUint64Array(reader.buffer), 1)).toBe(42n);

        const value = new Uint8Array(8);
        counters.lookup(u32(1), value); // the kernel sees what was written
        expect(toU64(value)).toBe(42);
        counters.update(u32(3), u64(7)); // and we what it writes
        expect(words[3]).toBe(7n);
        for (let n = 0; n < 5; n++) testRun(object.programFd("counting"), { data: new Uint8Array(60) });
        expect(words[2]).toBe(5n);
        expect(reader.bytes.length).toBe(32);
      } finally {
        writer.close();
        writer.close();
        reader.close();
        counters.close();
      }
    });
  });

  test("is refused for a map that was not made for it", () => {
    const map = BpfMap.create({ type: mapType.array, keySize: 4, valueSize: 8, maxEntries: 4 });
    expect(faultOf(() => map.memory()).code).toBe("EINVAL");
    map.close();
  });
});

describe("a program", () => {
  test("runs on a packet and hands back what became of it", () => {
    withObject((object) => {
      const dataOut = new Uint8Array(2048);
      const counting = testRun(object.programFd("counting"), { data: new Uint8Array(60).fill(9), dataOut });
      expect(counting.retval).toBe(1);
      expect(counting.dataOut.length).toBe(60);
      expect([counting.dataOut[0], counting.dataOut[1]]).toEqual([10, 9]);
      const cut = testRun(object.programFd("short_packet"), { data: new Uint8Array(100), dataOut });
      expect(cut).toMatchObject({ retval: 3 });
      expect(cut.dataOut.length).toBe(80);
    });
  });

  test("sees and returns its context", () => {
    withObject((object) => {
      const ctx = new Uint8Array(192); // struct __sk_buff, mark at 8
      const ctxOut = new Uint8Array(192);
      new DataView(ctx.buffer).setUint32(8, 41, true);
      const marking = new TestRun(object.programFd("marking"), { data: new Uint8Array(60), ctx, ctxOut });
      expect(marking.run()).toBe(0);
      expect(new DataView(ctxOut.buffer).getUint32(8, true)).toBe(42);
      expect(marking.ctxOutLength).toBe(192);
    });
  });

  test("for XDP comes from the interface that its context names", () => {
    withObject((object) => {
      const ctx = new Uint8Array(24); // struct xdp_md: data, data_end, data_meta, ingress_ifindex, ...
      new Uint32Array(ctx.buffer).set([0, 60, 0, 1]);
      expect(testRun(object.programFd("came_from"), { data: new Uint8Array(60), ctx }).retval).toBe(1);
    });
  });

  test("is repeated as often as asked, and timed", () => {
    withObject((object) => {
      const counters = object.map("counters");
      const { durationNs } = testRun(object.programFd("counting"), { data: new Uint8Array(60), repeat: 1000 });
      const value = new Uint8Array(8);
      counters.lookup(u32(2), value);
      expect(toU64(value)).toBe(1000);
      expect(durationNs).toBeGreaterThan(0);
      counters.close();
    });
  });

  test("runs again and again in the same buffers, on as many bytes as asked", () => {
    withObject((object) => {
      const data = new Uint8Array(1500);
      const dataOut = new Uint8Array(1500);
      const again = new TestRun(object.programFd("counting"), { data, dataOut });
      for (const length of [60, 1500, 14]) {
        data[0] = length & 0x7f;
        expect(again.run(length)).toBe(1);
        expect(again.dataOutLength).toBe(length);
        expect(dataOut[0]).toBe((length & 0x7f) + 1);
      }
      expect(faultOf(() => again.run(1)).code).toBe("EINVAL");
    });
  });

  test("whose packet does not fit the buffer is a Fault", () => {
    withObject((object) => {
      const short = { data: new Uint8Array(60), dataOut: new Uint8Array(20) };
      expect(faultOf(() => testRun(object.programFd("counting"), short)).code).toBe("ENOSPC");
    });
  });

  test("tells what it is, which maps it uses and what it cost", () => {
    withObject((object) => {
      const stats = enableRunStats();
      testRun(object.programFd("counting"), { data: new Uint8Array(60), repeat: 10 });
      closeFd(stats);
      const info = programInfo(object.programFd("counting"));
      expect(info).toMatchObject({ name: "counting", type: programType.xdp });
      expect(info.tag).toMatch(/^[0-9a-f]{16}$/);
      expect(info.xlatedLength).toBeGreaterThan(100);
      expect(info.verifiedInstructions).toBeGreaterThan(10);
      expect(info.mapIds.length).toBe(3);
      const maps = info.mapIds.map((id) => BpfMap.byId(id));
      for (const map of maps) map.close();
      expect(new Set(maps.map((map) => map.info.name))).toEqual(new Set(["counters", "flows", "counting.rodata"]));
      const again = openProgramById(info.id);
      expect(programInfo(again).tag).toBe(info.tag);
      closeFd(again);
    });
  });

  test("that is pinned outlives its object", () => {
    const pinned = `${bpffs.path}/program`;
    withObject((object) => pin(object.programFd("short_packet"), pinned));
    const fd = openPinned(pinned);
    expect(testRun(fd, { data: new Uint8Array(100) }).retval).toBe(3);
    closeFd(fd);
  });
});
