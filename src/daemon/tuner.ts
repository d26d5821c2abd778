import type { GlobalDefs } from "../config/keywords.ts";
import { explain } from "../fault.ts";
import {
  allowedCpus,
  limitRealTime,
  lockProgram,
  nameProcess,
  setAffinity,
  setNice,
  setRealTime,
  unlockMemory,
} from "../platform/scheduling.ts";
import { type Tuning, untuned } from "../tuning.ts";

/** Gives a process the name, priority, processors and memory that its configuration asks for (spec 2.8). */

/** With `process_names`, as keepalived's are called. */
const NAMES = { vrrp: "keepalived_vrrp", checker: "keepalived_ipvs", bfd: "keepalived_bfd" } as const;

export function tuningOf(g: GlobalDefs | undefined, who: keyof typeof NAMES): Tuning {
  if (g === undefined) return untuned;
  return {
    name: g[`${who}ProcessName`] ?? (g.processNames ? NAMES[who] : undefined),
    nice: g[`${who}Priority`],
    realTime: g[`${who}RtPriority`],
    burst: g.origins[`${who}RlimitRttime`] === undefined ? undefined : g[`${who}RlimitRttime`],
    noSwap: g[`${who}NoSwap`],
    cpus: g[`${who}CpuAffinity`] ?? [],
    autoMost: Math.max(0, g.maxAutoPriority ?? 0),
    autoDelay: g.minAutoPriorityDelay,
  };
}

export interface Tuner {
  /** What the kernel refuses is told in one line; the rest is in force. */
  apply(tuning: Tuning): void;
  /** A timer was late by this many ms: raises the own priority by one if that was too late and is allowed. */
  late(ms: number): void;
}

/** keepalived's 10 ms would end a process for collecting garbage. Microseconds. */
const LEAST_BURST = 200_000;
const STANDARD_BURST = 1_000_000;

export function openTuner(log: (text: string) => void): Tuner {
  const atStart = allowedCpus();
  let inForce = untuned;
  let realTime = 0;
  let isListening = false;
  const tell = (): void => log("ran for too long in real time without waiting; for as long again it would be ended");
  const raise = (priority: number): void => {
    if (priority > 0 && !isListening) process.on("SIGXCPU", tell);
    isListening ||= priority > 0;
    const kill = inForce.burst === undefined ? STANDARD_BURST : Math.max(inForce.burst, LEAST_BURST);
    if (priority > 0) limitRealTime(kill / 2, kill);
    setRealTime(priority);
    realTime = priority;
  };
  return {
    apply(tuning) {
      const before = inForce;
      inForce = tuning;
      const steps: (() => void)[] = [];
      if (tuning.name !== undefined && tuning.name !== before.name) nameProcess(tuning.name);
      if (tuning.nice !== before.nice) steps.push(() => setNice(tuning.nice));
      // Also for the sake of scripts, which are not to inherit any of it.
      const isPlain = tuning.realTime === before.realTime && tuning.nice === before.nice && tuning.burst === before.burst;
      if (!isPlain) steps.push(() => raise(tuning.realTime));
      if (tuning.noSwap !== before.noSwap) steps.push(tuning.noSwap ? lockProgram : unlockMemory);
      const cpus = tuning.cpus.length > 0 ? tuning.cpus : atStart;
      if (tuning.cpus.join() !== before.cpus.join()) steps.push(() => setAffinity(cpus));
      const refused = steps.flatMap(reasonOf);
      if (refused.length > 0) log(`not in force, the kernel refuses: ${refused.join("; ")}`);
    },
    late(ms) {
      if (realTime >= inForce.autoMost || ms * 1000 < inForce.autoDelay) return;
      const next = realTime + 1;
      const refused = reasonOf(() => raise(next));
      if (refused.length === 0) log(`${ms.toFixed(0)} ms late: real-time priority is ${next} now`);
      else inForce = { ...inForce, autoMost: 0 }; // said once
      for (const reason of refused) log(`${ms.toFixed(0)} ms late, and the kernel refuses ${reason}`);
    },
  };
}

function reasonOf(step: () => void): string[] {
  try {
    step();
    return [];
  } catch (error) {
    return [explain(error)];
  }
}
