import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { type Counters, type Director, noCounters, type Operation, type Service } from "../../director/director.ts";

/**
 * Counters of the whole director that never go back while it runs: what services had counted when they were deleted or zeroed
 * stays in the sum, as in the kernel's own totals. It is remembered beside the pid file, because the counters of services live
 * longer than lvsd too. `ipvsadm -Z` of all services begins at zero, as there.
 */
export interface Totals {
  now(services: readonly Service[]): Counters;
  /** The services are about to go with the data path. */
  retireAll(): void;
}

export interface Memory {
  load(): Counters;
  save(gone: Counters): void;
}

type Counted = Pick<Director, "apply" | "services" | "service">;

/** @returns the same director, which is counted as it changes */
export function withTotals<D extends Counted>(director: D, memory: Memory): { readonly director: D; readonly totals: Totals } {
  let gone = memory.load();
  const retire = (more: Counters, base = gone): void => {
    const next = sum([base, more]);
    if (FIELDS.every((field) => next[field] === gone[field])) return;
    gone = next;
    memory.save(gone);
  };
  const apply = (operations: readonly Operation[]) => {
    const isAll = operations.some((operation) => operation.op === "zero" && operation.key === undefined);
    const lost = sum(leaving(director, operations));
    const refusals = director.apply(operations);
    if (refusals.length === 0) retire(isAll ? noCounters : lost, isAll ? noCounters : gone);
    return refusals;
  };
  return {
    director: new Proxy(director, {
      get(target, name) {
        if (name === "apply") return apply;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value; // a method of a class wants its own object
      },
    }),
    totals: {
      now: (services) => sum([gone, ...services.map(({ counters }) => counters)]),
      retireAll: () => retire(sum(director.services().map(({ counters }) => counters))),
    },
  };
}

/** What the services have counted that these operations delete, or set to zero. */
function leaving(director: Counted, operations: readonly Operation[]): Counters[] {
  if (operations.some(({ op }) => op === "flush")) return director.services().map(({ counters }) => counters);
  const keys = operations.flatMap((o) => ((o.op === "delete-service" || o.op === "zero") && o.key !== undefined ? [o.key] : []));
  return keys.flatMap((key) => director.service(key)?.counters ?? []);
}

const FIELDS = Object.keys(noCounters) as readonly (keyof Counters)[];

const sum = (all: readonly Counters[]): Counters =>
  all.reduce(
    (a, b) => ({
      conns: a.conns + b.conns,
      ...{ inPackets: a.inPackets + b.inPackets, outPackets: a.outPackets + b.outPackets },
      ...{ inBytes: a.inBytes + b.inBytes, outBytes: a.outBytes + b.outBytes },
    }),
    noCounters,
  );

/**
 * In a file; one that cannot be read or written does no harm but that the counters begin anew.
 * @param namespace what tells it from another one, which may get the name of one that is gone
 */
export const fileMemory = (path: string, namespace: string): Memory => ({
  load() {
    try {
      const read = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
      const isOurs = read.namespace === namespace && FIELDS.every((field) => Number.isSafeInteger(read[field]));
      return isOurs ? sum([read as unknown as Counters]) : noCounters;
    } catch {
      return noCounters;
    }
  },
  save(gone) {
    try {
      writeFileSync(`${path}.new`, JSON.stringify({ namespace, ...gone }), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    } catch {
      // a full or read-only /run
    }
  },
});
