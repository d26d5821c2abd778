import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { type Director, type Operation, sameDest } from "../../director/director.ts";
import type { Log } from "../../director/engine.ts";
import { explain } from "../../fault.ts";
import type { Service } from "../../health/config.ts";
import { leftovers, type Owned, ownedBy } from "../../health/owned.ts";
import { netnsCookie } from "../../platform/namespace.ts";

/**
 * Remembers what of the table the file has made, so that an lvsd that starts after a `kill -9` takes away what the file of
 * then no longer names, and nothing else. One line of JSON per service, beside the pid file; of this boot, as the table is.
 */
export interface Owner {
  /** What an earlier lvsd has left and these services do not name. */
  leftovers(services: readonly Service[]): readonly Operation[];
  /** They are about to be in the table, beside those of before. */
  expect(services: readonly Service[]): void;
  /** Those of before are gone. */
  settle(): void;
  /** Nothing is left. */
  forget(): void;
}

export function openOwner(path: string, log: Log): Owner {
  const head = JSON.stringify({ namespace: String(netnsCookie()) });
  const found = linesIn(path);
  let written = found[0] === head ? found.slice(1) : [];
  /** The lines of each service, as long as it stays the same value. */
  let lines = new Map<Service, readonly string[]>();
  const write = (next: readonly string[]): void => {
    if (next.length === written.length && next.every((line, i) => line === written[i])) return;
    try {
      writeFileSync(`${path}.new`, [head, ...next, ""].join("\n"), { mode: 0o600 });
      renameSync(`${path}.new`, path);
      written = [...next];
    } catch (error) {
      log.warn("not remembered", { file: path, reason: explain(error) });
    }
  };
  return {
    leftovers: (services) => leftovers(parse(written), services.flatMap(ownedBy)),
    expect(services) {
      const known = lines;
      lines = new Map(services.map((service) => [service, known.get(service) ?? linesOf(service)]));
      const next = [...lines.values()].flat();
      const isNew = new Set(next);
      write([...next, ...written.filter((line) => !isNew.has(line))]);
    },
    settle: () => write([...lines.values()].flat()),
    forget() {
      written = [];
      rmSync(path, { force: true });
    },
  };
}

/** Those of leftovers() that are not done yet: others were quicker. All, when the director cannot tell. */
export function stillThere(director: Pick<Director, "service">, operations: readonly Operation[]): readonly Operation[] {
  const isThere = (operation: Operation): boolean => {
    const service = "key" in operation ? director.service(operation.key) : undefined;
    if (operation.op === "delete-dest") return service?.dests.some((dest) => sameDest(dest, operation.dest)) ?? false;
    if (operation.op === "delete-laddr") return service?.localAddresses.some(({ addr }) => addr === operation.addr) ?? false;
    return service !== undefined;
  };
  try {
    return operations.filter(isThere);
  } catch {
    return operations;
  }
}

const linesOf = (service: Service): string[] => ownedBy(service).map((owned) => JSON.stringify(owned));
const parse = (lines: readonly string[]): Owned[] => lines.map((line) => JSON.parse(line) as Owned);

function linesIn(path: string): string[] {
  try {
    return readFileSync(path, "utf8")
      .split("\n")
      .filter((line) => line !== "");
  } catch {
    return []; // there was none
  }
}
