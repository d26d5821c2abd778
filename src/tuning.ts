/** What a process asks of the system's scheduler and memory (spec 2.8). Plain values: they travel as JSON. */
export interface Tuning {
  /** What ps calls it; undefined: as it was started. */
  readonly name: string | undefined;
  /** -20..19. */
  readonly nice: number;
  /** 1..99; 0: none. */
  readonly realTime: number;
  /** Microseconds that it may run in real time without waiting, before it is ended; undefined: not named. */
  readonly burst: number | undefined;
  readonly noSwap: boolean;
  /** Empty: all. */
  readonly cpus: readonly number[];
  /** How far it may raise its own real-time priority when it is late; 0: not at all. */
  readonly autoMost: number;
  /** Microseconds that count as late. */
  readonly autoDelay: number;
}

export const untuned: Tuning = {
  ...{ name: undefined, nice: 0, realTime: 0, burst: undefined, noSwap: false, cpus: [], autoMost: 0, autoDelay: 1_000_000 },
};
