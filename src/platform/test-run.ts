import { Fault } from "../fault.ts";
import { addressOf, options, type Struct } from "./koffi.ts";
import { libbpf } from "./libbpf.ts";

export interface TestRunOptions {
  /** The frame: at least 14 bytes, for XDP at most some 3500. */
  readonly data?: Uint8Array;
  /** Where the frame goes afterwards. Too short: ENOSPC. */
  readonly dataOut?: Uint8Array;
  /** struct xdp_md (its data_end must be the length of data) or __sk_buff, and where it goes afterwards. */
  readonly ctx?: Uint8Array;
  readonly ctxOut?: Uint8Array;
  /** Runs in one call, without putting the packet back between them. Default 1. */
  readonly repeat?: number;
  /** BPF_F_TEST_RUN_ON_CPU 1, BPF_F_TEST_XDP_LIVE_FRAMES 2. */
  readonly flags?: number;
  readonly cpu?: number;
}

export interface TestRunResult {
  /** What the program returned: XDP_*, TC_ACT_*. */
  readonly retval: number;
  /** The written part of the buffer that was given, empty when none was. */
  readonly dataOut: Uint8Array;
  /** Per run, averaged over `repeat`. */
  readonly durationNs: number;
}

/** Runs a loaded program once (or `repeat` times) on a packet: BPF_PROG_TEST_RUN. */
export function testRun(programFd: number, given: TestRunOptions): TestRunResult {
  const run = new TestRun(programFd, given);
  run.run();
  const dataOut = given.dataOut?.subarray(0, run.dataOutLength) ?? new Uint8Array(0);
  return { retval: run.retval, dataOut, durationNs: run.durationNs };
}

/**
 * The same for hot loops: buffers are given once, run() allocates nothing. Change the bytes of `data` and `ctx` between runs
 * as you like.
 */
export class TestRun {
  readonly #fd: number;
  readonly #given: TestRunOptions; // keeps the buffers, whose addresses are in #opts, alive
  readonly #opts: Struct;

  constructor(programFd: number, given: TestRunOptions) {
    this.#fd = programFd;
    this.#given = given;
    this.#opts = options(80); // bpf_test_run_opts
    const { view } = this.#opts;
    const pointer = (at: number, buffer: Uint8Array | undefined) => {
      if (buffer !== undefined && buffer.length > 0) view.setBigUint64(at, addressOf(buffer), true);
    };
    pointer(8, given.data);
    pointer(16, given.dataOut);
    pointer(32, given.ctx);
    pointer(40, given.ctxOut);
    view.setUint32(48, given.ctx?.length ?? 0, true);
    view.setInt32(60, given.repeat ?? 1, true);
    view.setUint32(68, given.flags ?? 0, true);
    view.setUint32(72, given.cpu ?? 0, true);
  }

  /** Runs the program on the first `length` bytes of `data` and returns what it returned. */
  run(length: number = this.#given.data?.length ?? 0): number {
    const { view, bytes } = this.#opts;
    view.setUint32(24, length, true);
    view.setUint32(28, this.#given.dataOut?.length ?? 0, true);
    view.setUint32(52, this.#given.ctxOut?.length ?? 0, true);
    const result = libbpf().testRun(this.#fd, bytes);
    if (result < 0) throw Fault.fromErrno("test run", -result, `${length} bytes`);
    return view.getUint32(56, true);
  }

  // Of the last run:

  get retval(): number {
    return this.#opts.view.getUint32(56, true);
  }
  get dataOutLength(): number {
    return this.#opts.view.getUint32(28, true);
  }
  get ctxOutLength(): number {
    return this.#opts.view.getUint32(52, true);
  }
  get durationNs(): number {
    return this.#opts.view.getUint32(64, true);
  }
}
