import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Fault } from "../src/fault.ts";
import type { BpfMap } from "../src/platform/bpf-map.ts";
import { BpfObject } from "../src/platform/bpf-object.ts";
import type { Mapping } from "../src/platform/mmap.ts";
import { TestRun } from "../src/platform/test-run.ts";

/** bench.bpf.c: sends a plan's packets into a program and says how long one took. */

export const FRAME = 64; // bytes
/** Offsets in struct plan. */
const PLAN = { flows: 0, step: 4, at: 8, answers: 12, bits: 16, addr: 20, port: 24, frame: 32 };
/** Offsets in struct xdp_md and struct __sk_buff. */
const XDP_MD = { size: 24, dataEnd: 4, ingressIfindex: 12 };
const SK_BUFF = { size: 192, ifindex: 40 };

export type Hook = "xdp" | "tc";

/** A packet per flow. Flow n has the address `addr` + (its low `bits` bits) and the port `port` + (its other bits). */
export interface Plan {
  /** FRAME bytes, in which the low half of the address is 0. */
  readonly frame: Uint8Array;
  readonly flows: number;
  /** By their numbers, or scattered. */
  readonly order: "as opened" | "scattered";
  /** Which side of the packet has the flow's address and port. */
  readonly side: "source" | "destination";
  readonly bits: number;
  /** Low 16 bits. */
  readonly addr: number;
  readonly port: number;
  /** The packets come in by this interface. */
  readonly ifindex: number;
}

export interface Timing {
  /** Of one packet, wrapper included. */
  readonly ns: number;
  /** What the last packet's program returned. */
  readonly verdict: number;
}

/** What the packets are sent into: the program to measure, one that does nothing, one that only grows the packet (XDP). */
export type Target = "target" | "empty" | "grow";
const SLOTS = { xdp: ["target", "nothing", "grow"], tc: ["target", "nothing"] } as const;

export class Wrapper {
  readonly hook: Hook;
  readonly #object: BpfObject;
  readonly #plans: BpfMap;
  readonly #memory: Mapping;
  readonly #plan: DataView;
  readonly #data = new Uint8Array(FRAME);
  readonly #ctx: Uint8Array;

  /** @param program descriptor of the one to measure, which stays the caller's */
  constructor(hook: Hook, program: number) {
    this.hook = hook;
    this.#object = BpfObject.open(benchObject());
    this.#object.load();
    const programs = this.#object.map(`${hook}_programs`);
    SLOTS[hook].forEach((name, slot) => {
      programs.update(u32Bytes(slot), u32Bytes(name === "target" ? program : this.#object.programFd(`${hook}_${name}`)));
    });
    programs.close();
    this.#plans = this.#object.map("plans");
    this.#memory = this.#plans.memory({ writable: true });
    this.#plan = new DataView(this.#memory.buffer);
    this.#ctx = new Uint8Array(hook === "xdp" ? XDP_MD.size : SK_BUFF.size);
  }

  plan(plan: Plan): void {
    const set = (at: number, value: number) => this.#plan.setUint32(at, value, true);
    set(PLAN.flows, plan.flows);
    set(PLAN.step, plan.order === "as opened" ? 1 : scatteredStep(plan.flows));
    set(PLAN.at, 0);
    set(PLAN.answers, plan.side === "destination" ? 1 : 0);
    set(PLAN.bits, plan.bits);
    set(PLAN.addr, plan.addr);
    set(PLAN.port, plan.port);
    this.#memory.bytes.set(plan.frame, PLAN.frame);
    const ctx = new DataView(this.#ctx.buffer);
    if (this.hook === "xdp") ctx.setUint32(XDP_MD.dataEnd, FRAME, true);
    ctx.setUint32(this.hook === "xdp" ? XDP_MD.ingressIfindex : SK_BUFF.ifindex, plan.ifindex, true);
    this.#data.set(plan.frame);
  }

  /** Sends `packets` of the plan into the target. */
  run(target: Target, packets: number): Timing {
    const program = this.#object.programFd(`${target}_${this.hook}`);
    const run = new TestRun(program, { data: this.#data, ctx: this.#ctx, repeat: packets });
    const verdict = run.run();
    return { ns: run.durationNs, verdict };
  }

  close(): void {
    this.#memory.close();
    this.#plans.close();
    this.#object.close();
  }
}

const u32Bytes = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);

/** Near the golden section of `flows`, and prime to it. */
export function scatteredStep(flows: number): number {
  let step = Math.max(1, Math.floor(flows * 0.618));
  while (gcd(step, flows) !== 1) step++;
  return step;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Beside the data path's: one level below the root, as this file is, bundled or not. */
function benchObject(): string {
  const path = fileURLToPath(new URL("../build/bench.bpf.o", import.meta.url));
  if (!existsSync(path)) throw new Fault("bench", "ENOENT", `no ${path}: run make build`);
  return path;
}
