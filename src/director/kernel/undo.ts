import { type DestKey, type Operation, type ServiceKey, sameDest } from "../director.ts";
import type { DestRecord, ServiceRecord } from "../records.ts";
import type { Table } from "../table.ts";

/**
 * What takes an operation back, in order, by the table as it was before it. What was counted is not brought back: statistics of
 * a deleted service, or zeroed ones. A dest that is put back is the newest of its service again.
 */
export function inverseOf(operation: Operation, before: Table): readonly Operation[] {
  switch (operation.op) {
    case "add-service":
      return [{ op: "delete-service", key: operation.service.key }];
    case "edit-service":
      return services(before, operation.service.key).map(({ spec }) => ({ op: "edit-service", service: spec }));
    case "delete-service":
      return services(before, operation.key).flatMap(rebuild);
    case "flush":
      return [...before.services()].flatMap(rebuild);
    case "add-dest":
      return [{ op: "delete-dest", key: operation.key, dest: operation.dest }];
    case "edit-dest":
      return dests(before, operation).map(({ spec }) => ({ op: "edit-dest", key: operation.key, dest: spec }));
    case "delete-dest":
      return dests(before, operation).map(({ spec }) => ({ op: "add-dest", key: operation.key, dest: spec }));
    case "set-timeouts":
      return [{ op: "set-timeouts", timeouts: before.timeouts() }];
    case "set-setting":
      return [{ op: "set-setting", name: operation.name, value: before.setting(operation.name) }];
    case "start-daemon":
      return [{ op: "stop-daemon", state: operation.daemon.state }];
    case "stop-daemon":
      return before
        .daemons()
        .filter(({ state }) => state === operation.state)
        .map((daemon) => ({ op: "start-daemon", daemon }));
    default:
      return [];
  }
}

interface OfDest {
  readonly key: ServiceKey;
  readonly dest: DestKey;
}

function services(table: Table, key: ServiceKey): readonly ServiceRecord[] {
  const service = table.service(key);
  return service === undefined ? [] : [service];
}

const dests = (table: Table, { key, dest }: OfDest): readonly DestRecord[] =>
  services(table, key).flatMap((service) => service.dests.filter(({ spec }) => sameDest(spec, dest)));

/** A service and its dests, the oldest first, since each is put before the others. */
const rebuild = ({ spec, dests }: ServiceRecord): Operation[] => [
  { op: "add-service", service: spec },
  ...dests.toReversed().map(({ spec: dest }): Operation => ({ op: "add-dest", key: spec.key, dest })),
];
