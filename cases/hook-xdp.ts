import type { DataPath } from "../src/director/xdp/loader.ts";
import { setU32, viewOf } from "../src/director/xdp/memory.ts";
import { TestRun } from "../src/platform/test-run.ts";
import { FRAME_MAX, type Hook, OUT_MAX } from "./hook.ts";
import { ifindexOf, type Side } from "./network.ts";
import type { Seen } from "./plane.ts";

const VERDICTS = ["aborted", "drop", "pass", "tx", "redirect"];
/** struct xdp_md */
const CTX = { size: 24, dataEnd: 4, ingressIfindex: 12 };

/** XDP: a frame as the driver has it. */
export class XdpHook implements Hook {
  readonly name = "xdp";
  readonly #data = new Uint8Array(FRAME_MAX);
  readonly #out = new Uint8Array(OUT_MAX);
  readonly #ctx = new Uint8Array(CTX.size);
  readonly #view = viewOf(this.#ctx);
  readonly #run: TestRun;

  constructor(path: DataPath) {
    this.#run = new TestRun(path.program("lvs_xdp"), { data: this.#data, dataOut: this.#out, ctx: this.#ctx });
  }

  takes(): boolean {
    return true;
  }

  run(frame: Uint8Array, by: Side): Seen["verdict"] {
    this.#data.set(frame);
    setU32(this.#view, CTX.dataEnd, frame.length);
    setU32(this.#view, CTX.ingressIfindex, ifindexOf(by));
    return VERDICTS[this.#run.run(frame.length)] as Seen["verdict"];
  }

  frame(): Uint8Array {
    return this.#out.slice(0, this.#run.dataOutLength);
  }
}
