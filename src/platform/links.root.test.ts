import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { linkInfo, openLinkById, openPinned, pin, programInfo } from "./bpf.ts";
import { attachTc, attachXdp, detachLink, detachTc, queryTc, removeClsact, updateLink } from "./bpf-link.ts";
import { BpfObject } from "./bpf-object.ts";
import { inNamespace, netnsPath } from "./namespace.ts";
import { closeFd } from "./process.ts";
import { addNetns, compileBpf, mountBpffs, run, type Scratch, scratch } from "./testing.ts";

const SOURCE = `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("xdp") int pass_all(struct xdp_md *ctx) { return 2; }
SEC("xdp") int drop_all(struct xdp_md *ctx) { return 1; }
SEC("tc") int ok(struct __sk_buff *skb) { return 0; }
SEC("tc") int shot(struct __sk_buff *skb) { return 2; }
char LICENSE[] SEC("license") = "GPL";
`;

let dir: Scratch;
let bpffs: Scratch;
let object: BpfObject;
let netns: ReturnType<typeof addNetns>;
let ifindex: number;
const program = (name: string) => object.programFd(name);
const programId = (name: string) => programInfo(program(name)).id;
const inside = <T>(fn: () => T): T => inNamespace(netnsPath(netns.name), fn);

beforeAll(() => {
  dir = scratch();
  bpffs = mountBpffs(dir.path);
  object = BpfObject.open(compileBpf(dir.path, "verdicts", SOURCE));
  object.load();
});
afterAll(() => {
  object.close();
  bpffs.remove();
  dir.remove();
});
beforeEach(() => {
  netns = addNetns();
  run("ip", "-n", netns.name, "link", "add", "one", "type", "veth", "peer", "name", "two");
  ifindex = Number(JSON.parse(run("ip", "-n", netns.name, "-j", "link", "show", "one"))[0].ifindex);
});
afterEach(() => netns.remove());

/** "xdp", "xdpgeneric" or undefined, as ip shows it. */
const shown = () => JSON.parse(run("ip", "-n", netns.name, "-j", "link", "show", "one"))[0].xdp?.mode;

describe("an XDP link", () => {
  test.each([
    ["native", 1],
    ["generic", 2],
    ["auto", 1],
  ] as const)("in %s mode puts the program on the interface until it is closed", (mode, kernelMode) => {
    const link = inside(() => attachXdp(ifindex, program("pass_all"), mode));
    expect(shown()).toBe(kernelMode);
    expect(linkInfo(link)).toMatchObject({ type: 6, ifindex, programId: programId("pass_all") });
    closeFd(link);
    expect(shown()).toBeUndefined();
  });

  test("keeps others off the interface", () => {
    const link = inside(() => attachXdp(ifindex, program("pass_all"), "native"));
    expect(() => inside(() => attachXdp(ifindex, program("drop_all"), "native"))).toThrow(/EBUSY/);
    closeFd(link);
  });

  test("changes its program, on demand only from the expected one", () => {
    const link = inside(() => attachXdp(ifindex, program("pass_all"), "native"));
    updateLink(link, program("drop_all"));
    expect(linkInfo(link).programId).toBe(programId("drop_all"));
    expect(() => updateLink(link, program("pass_all"), program("pass_all"))).toThrow(/EPERM/);
    updateLink(link, program("pass_all"), program("drop_all"));
    expect(linkInfo(link).programId).toBe(programId("pass_all"));
    closeFd(link);
  });

  test("that is pinned stays, and is taken up again by path or by id", () => {
    const link = inside(() => attachXdp(ifindex, program("pass_all"), "native"));
    pin(link, `${bpffs.path}/link`);
    closeFd(link);
    expect(shown()).toBe(1);
    const again = openPinned(`${bpffs.path}/link`);
    const byId = openLinkById(linkInfo(again).id);
    expect(linkInfo(byId)).toEqual(linkInfo(again));
    detachLink(again);
    expect(shown()).toBeUndefined();
    for (const fd of [again, byId]) closeFd(fd);
    run("rm", `${bpffs.path}/link`);
  });

  test("has interface 0 when the interface is gone, and cannot be updated", () => {
    const link = inside(() => attachXdp(ifindex, program("pass_all"), "native"));
    run("ip", "-n", netns.name, "link", "del", "one");
    expect(linkInfo(link).ifindex).toBe(0);
    expect(() => updateLink(link, program("drop_all"))).toThrow(/ENOLINK|E67/);
    closeFd(link);
  });

  test("on an interface that does not exist is ENODEV or EINVAL", () => {
    expect(() => inside(() => attachXdp(9999, program("pass_all"), "native"))).toThrow(/ENODEV|EINVAL/);
  });
});

describe("a tc program", () => {
  test.each(["ingress", "egress"] as const)("is attached, found, replaced and detached on %s", (hook) => {
    inside(() => {
      expect(queryTc(ifindex, hook)).toBeUndefined();
      expect(detachTc(ifindex, hook)).toBe(false);
      attachTc(ifindex, hook, program("ok"));
      expect(queryTc(ifindex, hook)).toBe(programId("ok"));
      attachTc(ifindex, hook, program("shot"));
      expect(queryTc(ifindex, hook)).toBe(programId("shot"));
      expect(queryTc(ifindex, hook === "ingress" ? "egress" : "ingress")).toBeUndefined();
      expect(detachTc(ifindex, hook)).toBe(true);
      expect(queryTc(ifindex, hook)).toBeUndefined();
      expect(removeClsact(ifindex)).toBe(true);
      expect(removeClsact(ifindex)).toBe(false);
    });
  });

  test("has a slot beside other people's", () => {
    inside(() => {
      attachTc(ifindex, "ingress", program("ok"), { handle: 1, priority: 10 });
      attachTc(ifindex, "ingress", program("shot"), { handle: 7, priority: 2 });
      expect(queryTc(ifindex, "ingress", { handle: 1, priority: 10 })).toBe(programId("ok"));
      expect(detachTc(ifindex, "ingress", { handle: 7, priority: 2 })).toBe(true);
      expect(queryTc(ifindex, "ingress", { handle: 1, priority: 10 })).toBe(programId("ok"));
    });
    expect(run("tc", "-n", netns.name, "filter", "show", "dev", "one", "ingress")).toContain("pref 10 bpf");
  });

  test("on an interface that does not exist is a Fault that names it", () => {
    expect(() => inside(() => attachTc(9999, "ingress", program("ok")))).toThrow(/9999/);
  });
});

test("attaching leaves nothing on standard error and no descriptor open", () => {
  const before = readFileSync("/proc/self/status", "utf8").match(/FDSize:\s+(\d+)/)?.[1];
  for (let n = 0; n < 100; n++) inside(() => queryTc(ifindex, "ingress"));
  expect(readFileSync("/proc/self/status", "utf8").match(/FDSize:\s+(\d+)/)?.[1]).toBe(before);
});
