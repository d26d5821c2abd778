import { execFileSync, spawn } from "node:child_process";
import { openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mapType } from "./bpf.ts";
import { BpfMap } from "./bpf-map.ts";
import { BpfObject } from "./bpf-object.ts";
import { inNamespace, netnsCookie, netnsInode, netnsPath } from "./namespace.ts";
import { notifyManager } from "./notify.ts";
import { closeFd, countCpus, dupFd, lockFile, pageSize, possibleCpus, raiseMemlock } from "./process.ts";
import { openRingBuffer } from "./ringbuf.ts";
import { TestRun } from "./test-run.ts";
import { addNetns, compileBpf, run, type Scratch, scratch, until } from "./testing.ts";
import { monotonicMs, openTimer } from "./timer.ts";

let dir: Scratch;
beforeAll(() => {
  dir = scratch();
});
afterAll(() => dir.remove());

describe("a ring buffer", () => {
  const SOURCE = `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } events SEC(".maps");
SEC("xdp") int tell(struct xdp_md *ctx) {
  unsigned char *data = (void *)(long)ctx->data;
  if (data + 14 > (unsigned char *)(long)ctx->data_end) return 0;
  __u64 *record = bpf_ringbuf_reserve(&events, 20, 0);
  if (!record) return 1;
  __builtin_memcpy(record, data, 14);
  if (data[13] == 0xdd) bpf_ringbuf_discard(record, 0); else bpf_ringbuf_submit(record, 0);
  return 2;
}
char LICENSE[] SEC("license") = "GPL";
`;
  let object: BpfObject;
  let events: BpfMap;
  let data: Uint8Array;
  let tell: TestRun;
  beforeAll(() => {
    object = BpfObject.open(compileBpf(dir.path, "tell", SOURCE));
    object.load();
    events = object.map("events");
    data = new Uint8Array(60);
    tell = new TestRun(object.programFd("tell"), { data });
  });
  afterAll(() => {
    events.close();
    object.close();
  });
  const say = (n: number) => {
    new DataView(data.buffer).setUint32(0, n, true);
    return tell.run();
  };

  test("hands over each record in order, without being asked, also past its end", async () => {
    const seen: number[] = [];
    const lengths = new Set<number>();
    const ring = openRingBuffer(events.fd, (view, at, length) => {
      seen.push(view.getUint32(at, true));
      lengths.add(length);
    });
    for (let round = 0; round < 5; round++) {
      for (let n = 0; n < 100; n++) expect(say(round * 100 + n)).toBe(2); // 3200 of 4096 bytes
      await until(() => seen.length === (round + 1) * 100);
    }
    expect(seen).toEqual(Array.from({ length: 500 }, (_, n) => n));
    expect([...lengths]).toEqual([20]);
    ring.close();
    ring.close();
  });

  test("does not hand over records that were thrown away", () => {
    const seen: number[] = [];
    const ring = openRingBuffer(events.fd, (view, at) => seen.push(view.getUint32(at, true)));
    say(1);
    data[13] = 0xdd;
    say(2);
    data[13] = 0;
    say(3);
    expect(ring.consume()).toBe(2);
    expect(seen).toEqual([1, 3]);
    expect(ring.consume()).toBe(0);
    ring.close();
    expect(ring.consume()).toBe(0);
  });

  test("that was full takes records again once they are consumed, and a new follower goes on where the old one was", () => {
    let answer = 2;
    let written = 0;
    for (; answer === 2; written++) answer = say(written);
    expect(answer).toBe(1);
    const seen: number[] = [];
    const ring = openRingBuffer(events.fd, (view, at) => seen.push(view.getUint32(at, true)));
    expect(ring.consume()).toBe(written - 1);
    expect(seen[0]).toBe(0);
    expect(say(77)).toBe(2);
    ring.close();
    const next = openRingBuffer(events.fd, (view, at) => seen.push(view.getUint32(at, true)));
    expect(next.consume()).toBe(1);
    expect(seen.at(-1)).toBe(77);
    next.close();
  });

  test("may be closed by the handler of a record", () => {
    say(1);
    say(2);
    let count = 0;
    const ring = openRingBuffer(events.fd, () => {
      count++;
      ring.close();
    });
    ring.consume();
    expect(count).toBe(1);
    const rest = openRingBuffer(events.fd, () => count++);
    rest.consume(); // the record whose handler closed it was not acknowledged
    expect(count).toBe(3);
    rest.close();
  });
});

describe("a timer", () => {
  test("goes off at its time, once", async () => {
    const ticks: number[] = [];
    const timer = openTimer(() => ticks.push(monotonicMs()));
    const due = monotonicMs() + 20;
    timer.at(due);
    await until(() => ticks.length > 0);
    expect(ticks[0]! - due).toBeGreaterThanOrEqual(0);
    expect(ticks[0]! - due).toBeLessThan(100); // the machine may be busy; typically 0.1
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(ticks.length).toBe(1);
    timer.close();
  });

  test("set to a time that is past goes off at once", async () => {
    let ticks = 0;
    const timer = openTimer(() => ticks++);
    timer.at(0);
    await until(() => ticks === 1);
    timer.at(monotonicMs() - 1000);
    await until(() => ticks === 2);
    timer.close();
  });

  test("goes off every period and counts those it missed", async () => {
    let calls = 0;
    let periods = 0;
    const started = monotonicMs();
    const timer = openTimer((expirations) => {
      if (calls++ === 0) for (const end = monotonicMs() + 25; monotonicMs() < end; );
      periods += expirations;
    });
    timer.every(5);
    await until(() => periods >= 10);
    expect(monotonicMs() - started).toBeGreaterThanOrEqual(50);
    expect(calls).toBeLessThan(periods);
    timer.stop();
    const stopped = calls;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(calls).toBe(stopped);
    timer.close();
    timer.close();
  });

  test("may close itself, and set anew forgets the old time", async () => {
    let ticks = 0;
    const timer = openTimer(() => {
      ticks++;
      timer.close();
    });
    timer.at(monotonicMs() + 10_000);
    timer.at(monotonicMs() + 5);
    await until(() => ticks === 1);
  });
});

describe("a watched descriptor", () => {
  /** The script runs in a process of its own and prints. */
  async function said(script: string, ...flags: string[]): Promise<string> {
    const stdin = {
      contents: `import { openTimer } from "./timer.ts";${script}`,
      resolveDir: import.meta.dirname,
      loader: "ts",
    } as const;
    const outfile = `${dir.path}/watch.cjs`;
    await build({ stdin, bundle: true, platform: "node", format: "cjs", external: ["koffi"], outfile, logLevel: "error" });
    const env = { ...process.env, NODE_PATH: `${import.meta.dirname}/../../node_modules` };
    return execFileSync(process.execPath, [...flags, outfile], { encoding: "utf8", env, timeout: 10_000 });
  }

  test("whose callback throws is an uncaught exception, and is watched on", async () => {
    const script = `
      let ticks = 0;
      process.on("uncaughtException", (error) => console.log(error.message));
      const timer = openTimer(() => { if (++ticks === 3) timer.close(); throw new Error("tick " + ticks); });
      timer.every(5);`;
    expect(await said(script)).toBe("tick 1\ntick 2\ntick 3\n");
  });

  test("is watched though nobody keeps the watch", async () => {
    const script = `
      openTimer(() => { console.log("ticked"); process.exit(); }).at(Number(process.hrtime.bigint()) / 1e6 + 100);
      setTimeout(() => { for (let n = 0; n < 5; n++) global.gc(); }, 20);
      setTimeout(() => {}, 500);`;
    expect(await said(script, "--expose-gc")).toBe("ticked\n");
  });
});

describe("a network namespace", () => {
  test("is entered for the time of a call and left again, also when the call throws", () => {
    const netns = addNetns();
    try {
      const home = [netnsInode(), netnsCookie()];
      const there = inNamespace(netnsPath(netns.name), () => [netnsInode(), netnsCookie()]);
      expect(there[0]).toBe(netnsInode(netnsPath(netns.name)));
      expect(there[1]).not.toBe(home[1]);
      expect([netnsInode(), netnsCookie()]).toEqual(home);
      const boom = () => {
        throw new Error("boom");
      };
      expect(() => inNamespace(netnsPath(netns.name), boom)).toThrow("boom");
      expect([netnsInode(), netnsCookie()]).toEqual(home);
    } finally {
      netns.remove();
    }
  });

  test("is that of the processes started in it", () => {
    const netns = addNetns();
    try {
      const links = inNamespace(netnsPath(netns.name), () => execFileSync("ip", ["-j", "link"], { encoding: "utf8" }));
      expect(JSON.parse(links).map((link: { ifname: string }) => link.ifname)).toEqual(["lo"]);
    } finally {
      netns.remove();
    }
  });

  test("that does not exist is ENOENT, and a file that is none is EINVAL", () => {
    expect(() => inNamespace(netnsPath("lvsd-none"), () => {})).toThrow(/lvsd-none/);
    expect(() => inNamespace("/etc/hostname", () => {})).toThrow(/EINVAL/);
  });
});

describe("the service manager", () => {
  const LISTEN = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace("@", "\\0", 1)); print("bound", flush=True)
s.settimeout(5); print(s.recv(200).decode(), flush=True)
`;
  test.each(["path", "abstract"])("is told on a socket with a %s name", async (kind) => {
    const name = kind === "path" ? `${dir.path}/notify` : `@lvsd-test-${process.pid}`;
    const listener = spawn("python3", ["-c", LISTEN, name], { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    listener.stdout.on("data", (chunk) => (said += chunk));
    await until(() => said.includes("bound"));
    expect(notifyManager("READY=1\nSTATUS=serving", name)).toBe(true);
    await until(() => said.includes("READY=1\nSTATUS=serving"));
  });

  test("that does not listen is not told", () => {
    expect(notifyManager("READY=1", undefined)).toBe(false);
    expect(() => notifyManager("READY=1", `${dir.path}/nobody`)).toThrow(/ENOENT/);
    expect(() => notifyManager("READY=1", `/${"x".repeat(120)}`)).toThrow(RangeError);
  });
});

describe("the process", () => {
  test("locks a file against others until it closes it", () => {
    writeFileSync(`${dir.path}/lock`, "");
    const first = openSync(`${dir.path}/lock`, "r");
    const second = openSync(`${dir.path}/lock`, "r");
    expect(lockFile(first)).toBe(true);
    expect(lockFile(second)).toBe(false);
    closeFd(first);
    expect(lockFile(second)).toBe(true);
    closeFd(second);
    expect(() => lockFile(second)).toThrow(/EBADF/);
  });

  test("closes and doubles descriptors", () => {
    const fd = openSync("/dev/null", "r");
    const other = dupFd(fd);
    closeFd(fd);
    closeFd(other);
    expect(() => closeFd(other)).toThrow(/EBADF/);
    expect(() => dupFd(other)).toThrow(/EBADF/);
  });

  test("may lock memory without limit when it has the capability for that, and is told when not", () => {
    const capabilities = BigInt(`0x${/^CapEff:\s+(\w+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]}`);
    const may = ((capabilities >> 24n) & 1n) === 1n; // CAP_SYS_RESOURCE
    expect(raiseMemlock()).toBe(may);
    const limits = readFileSync("/proc/self/limits", "utf8");
    expect(/^Max locked memory\s+unlimited\s+unlimited/m.test(limits)).toBe(may);
  });

  test("knows the machine's pages and possible CPUs", () => {
    expect(pageSize).toBe(Number(run("getconf", "PAGESIZE")));
    expect(possibleCpus()).toBeGreaterThanOrEqual(Number(run("nproc")));
    expect(countCpus("0\n")).toBe(1);
    expect(countCpus("0-3,8-11\n")).toBe(8);
  });
});

test("what is opened here is closed again", () => {
  const descriptors = () => readdirSync("/proc/self/fd").length;
  const once = () => {
    const map = BpfMap.create({ type: mapType.ringbuf, keySize: 0, valueSize: 0, maxEntries: pageSize });
    const ring = openRingBuffer(map.fd, () => {});
    const timer = openTimer(() => {});
    inNamespace("/proc/self/ns/net", () => netnsCookie());
    ring.close();
    timer.close();
    map.close();
  };
  once();
  const before = descriptors();
  for (let n = 0; n < 10; n++) once();
  expect(descriptors()).toBe(before);
});
