import { explain, Fault } from "../../fault.ts";
import type { Operation, Refusal } from "../director.ts";
import type { Log } from "../engine.ts";
import type { Snapshot } from "../records.ts";
import { defaultSettings } from "../settings.ts";
import { Table } from "../table.ts";
import { looksUnicast } from "../validate.ts";
import type { KernelIpvs } from "./ipvs.ts";
import { refusal } from "./limits.ts";
import { inverseOf } from "./undo.ts";

/** The kernel has no limit of its own. */
const NO_LIMIT = 0x7fff_ffff;
/** Stands for a setting that only the kernel knows, in lists that the table checks. */
const NOTHING: Operation = { op: "set-timeouts", timeouts: {} };

/**
 * All operations of a list or none, on a kernel that knows single ones only. A list is checked on a table filled from the
 * kernel's state, then carried out; what the kernel refuses in spite of that is answered by undoing what was done. In between,
 * others see parts of it.
 */
export class Transaction {
  readonly #ipvs: KernelIpvs;
  readonly #log: Log;

  constructor(ipvs: KernelIpvs, log: Log) {
    this.#ipvs = ipvs;
    this.#log = log;
  }

  apply(operations: readonly Operation[]): readonly Refusal[] {
    const [first, ...others] = operations;
    if (first === undefined) return [];
    if (others.length === 0) return this.#applyOne(first); // the kernel judges by itself, and needs no reading of its tables
    const before = snapshotOf(this.#ipvs);
    const checked = operations.map((operation) => (isKnownOnlyThere(operation, before) ? NOTHING : operation));
    const { refusals } = tableFrom(before).apply(checked);
    return refusals.length > 0 ? refusals : this.#carryOut(operations, tableFrom(before));
  }

  #applyOne(operation: Operation): readonly Refusal[] {
    const problem = refusal(operation);
    if (problem !== undefined) return [{ index: 0, ...problem }];
    const fault = attempt(() => this.#ipvs.carryOut(operation));
    return fault === undefined ? [] : [refusalOf(0, fault)];
  }

  /** @param table follows the operations, so that each can be undone by what was before it */
  #carryOut(operations: readonly Operation[], table: Table): readonly Refusal[] {
    const undo: (readonly Operation[])[] = [];
    for (const [index, operation] of operations.entries()) {
      const inverse = inverseOf(operation, table);
      const fault = attempt(() => this.#ipvs.carryOut(operation));
      if (fault !== undefined) {
        this.#rollBack(undo.toReversed().flat());
        return [refusalOf(index, fault)];
      }
      undo.push(inverse);
      table.apply([operation]);
    }
    return [];
  }

  /** What cannot be undone is told, and the rest is undone all the same. */
  #rollBack(operations: readonly Operation[]): void {
    for (const operation of operations) {
      const fault = attempt(() => this.#ipvs.carryOut(operation));
      if (fault !== undefined) this.#log.error("not undone", { operation: operation.op, reason: explain(fault) });
    }
  }
}

function attempt(work: () => void): Fault | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
}

/** ipvsadm has a text of its own for the kernel's EOPNOTSUPP, when there is no other. */
const refusalOf = (index: number, fault: Fault): Refusal => ({
  index,
  code: fault.code,
  message: fault.code === "EOPNOTSUPP" ? "" : explain(fault),
});

const isKnownOnlyThere = (operation: Operation, { settings }: Snapshot): boolean =>
  operation.op === "set-setting" && settings[operation.name] !== undefined && defaultSettings[operation.name] === undefined;

function tableFrom(snapshot: Snapshot): Table {
  const table = new Table({
    maxServices: NO_LIMIT,
    maxDests: NO_LIMIT,
    refuse: (operation) => refusal(operation) ?? settingProblem(operation, snapshot),
    // Link-local addresses are well if they are the director's own, which is the kernel's to know.
    isUnicast: (address) => looksUnicast(address) || /^fe[89ab]/.test(address),
  });
  table.restore(snapshot);
  return table;
}

function settingProblem(operation: Operation, { settings }: Snapshot): ReturnType<typeof refusal> {
  if (operation.op !== "set-setting" || settings[operation.name] !== undefined) return undefined;
  return { code: "ENOENT", message: `this kernel has no setting ${operation.name}` };
}

function snapshotOf(ipvs: KernelIpvs): Snapshot {
  let dests = 0;
  return {
    services: ipvs.services().map((service, i) => ({
      id: i + 1,
      spec: service,
      dests: service.dests.map((dest) => ({ id: ++dests, spec: dest, lastWeight: dest.weight })),
      localAddresses: [],
    })),
    trash: [],
    timeouts: ipvs.timeouts(),
    settings: ipvs.settings(),
    daemons: ipvs.syncDaemons(),
  };
}
