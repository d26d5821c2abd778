import type { Counters } from "../director.ts";

/** Counters that are zeroed by remembering where they stood (spec 6.4). */
export class Tally {
  conns = 0;
  inPackets = 0;
  outPackets = 0;
  inBytes = 0;
  outBytes = 0;
  #base: Counters | undefined;

  /** Since the last zero. */
  shown(): Counters {
    const { conns, inPackets, outPackets, inBytes, outBytes } = this;
    const base = this.#base;
    if (base === undefined) return { conns, inPackets, outPackets, inBytes, outBytes };
    return {
      conns: conns - base.conns,
      inPackets: inPackets - base.inPackets,
      outPackets: outPackets - base.outPackets,
      inBytes: inBytes - base.inBytes,
      outBytes: outBytes - base.outBytes,
    };
  }

  zero(): void {
    const { conns, inPackets, outPackets, inBytes, outBytes } = this;
    this.#base = { conns, inPackets, outPackets, inBytes, outBytes };
  }

  countIn(bytes: number): void {
    this.inPackets++;
    this.inBytes += bytes;
  }

  countOut(bytes: number): void {
    this.outPackets++;
    this.outBytes += bytes;
  }
}
