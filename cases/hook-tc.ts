import type { DataPath } from "../src/director/xdp/loader.ts";
import { setU32, viewOf } from "../src/director/xdp/memory.ts";
import { macBytes } from "../src/net/mac.ts";
import { TestRun } from "../src/platform/test-run.ts";
import { FRAME_MAX, type Hook, OUT_MAX } from "./hook.ts";
import { ifindexOf, ownMac, type Side } from "./network.ts";
import type { Seen } from "./plane.ts";

/** struct __sk_buff, of which the kernel takes these in a test run, and little else. */
const CTX = { size: 180, ingressIfindex: 36, ifindex: 40, gsoSize: 176 };
/** TC_ACT_* */
const [OK, SHOT, REDIRECT] = [0, 2, 7];
/** Ethernet and the least of what it carries, by EtherType. */
const LEAST = new Map([
  [0x0800, 14 + 20],
  [0x86dd, 14 + 40],
]);
const LEAST_OF_OTHERS = 15;
const SOURCE_MAC = 6;
const sides = (["client", "server"] as const).map((side) => ({ side, mac: macBytes(ownMac(side)) }));

/**
 * tc ingress: a frame as the stack has it. A test run tells no difference between a frame that goes back where it came from and
 * one that goes on: both are redirected. So the source MAC says by which side it leaves, which send_to and turn_round write; the
 * interface itself is not seen here.
 */
export class TcHook implements Hook {
  readonly name = "tc";
  /** Bytes of payload in each of the packets that the frame is to become, 0 when it is one packet. */
  segment = 0;
  readonly #data = new Uint8Array(FRAME_MAX);
  readonly #out = new Uint8Array(OUT_MAX);
  readonly #ctx = new Uint8Array(CTX.size);
  readonly #view = viewOf(this.#ctx);
  readonly #run: TestRun;

  constructor(path: DataPath) {
    this.#run = new TestRun(path.tcProgram("ingress"), { data: this.#data, dataOut: this.#out, ctx: this.#ctx });
  }

  /** The kernel's test run refuses frames that end within an IP header, or that have nothing behind Ethernet's (EINVAL). */
  takes(frame: Uint8Array): boolean {
    const type = frame[12]! * 256 + frame[13]!;
    return frame.length >= (LEAST.get(type) ?? LEAST_OF_OTHERS);
  }

  run(frame: Uint8Array, by: Side): Seen["verdict"] {
    this.#data.set(frame);
    setU32(this.#view, CTX.ingressIfindex, ifindexOf(by));
    setU32(this.#view, CTX.ifindex, ifindexOf(by));
    setU32(this.#view, CTX.gsoSize, this.segment);
    const action = this.#run.run(frame.length);
    if (action === REDIRECT) return this.#leavesBy() === by ? "tx" : "redirect";
    return (action === OK ? "pass" : action === SHOT ? "drop" : `action ${action}`) as Seen["verdict"];
  }

  #leavesBy(): Side | undefined {
    return sides.find(({ mac }) => mac.every((byte, i) => byte === this.#out[SOURCE_MAC + i]))?.side;
  }

  frame(): Uint8Array {
    return this.#out.slice(0, this.#run.dataOutLength);
  }
}
