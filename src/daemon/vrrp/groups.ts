import type { SyncGroup } from "../../vrrp/config.ts";
import { follow, groupState, type Member, type Order } from "../../vrrp/sync-group.ts";
import type { Unit } from "./unit.ts";

/** What the members of a sync group are to be told, and what is told of the group. */

const memberOf = ({ config, state, faults }: Unit): Member => ({
  name: config.name,
  state: state.name,
  isAsking: state.name === "backup" && state.asking,
  isFaulty: faults.length > 0,
});

export const membersOf = (group: SyncGroup, units: ReadonlyMap<string, Unit>): readonly Unit[] =>
  group.members.flatMap((name) => units.get(name) ?? []);

/** Nothing while a tracked script of a member has not answered, unless another one is down anyway. */
export function ordersFor(members: readonly Unit[], changed: string): readonly Order[] {
  const isFaulty = members.some((m) => m.faults.length > 0);
  return !isFaulty && members.some((m) => m.isPending) ? [] : follow(members.map(memberOf), changed);
}

const WORDS = { init: undefined, fault: "FAULT", backup: "BACKUP", master: "MASTER" } as const;
export const groupWord = (members: readonly Unit[]): "FAULT" | "BACKUP" | "MASTER" | undefined =>
  WORDS[groupState(members.map(memberOf))];

/** The line of the log. */
export function orderText(group: SyncGroup, order: Order["input"]["type"]): string | undefined {
  const word = { up: undefined, down: "FAULT", promote: "MASTER", demote: "BACKUP" }[order];
  return word && `VRRP_Group(${group.name}) Syncing instances to ${word} state`;
}
