import type { State } from "./machine.ts";

/** Sync groups (spec 3.12): their members are master together or not at all. */

export interface Member {
  readonly name: string;
  readonly state: State["name"];
  /** A backup that would be master. */
  readonly isAsking: boolean;
  /** Something that it tracks itself is down. */
  readonly isFaulty: boolean;
}

export interface Order {
  readonly name: string;
  readonly input: { readonly type: "up" | "down" | "promote" | "demote" };
}

/**
 * What the members are to be told after something happened to one of them. To be asked again after each telling, until
 * there is nothing more to tell.
 * @param changed the member that something happened to
 */
export function follow(members: readonly Member[], changed: string): readonly Order[] {
  if (members.some((m) => m.isFaulty)) return tell(members, "down", (m) => m.state !== "fault");
  const waiting = tell(members, "up", (m) => m.state === "fault" || m.state === "init");
  if (waiting.length > 0) return waiting;
  const cause = members.find((m) => m.name === changed);
  if (cause?.state === "backup" && !cause.isAsking) return tell(members, "demote", (m) => m.state === "master");
  const wantsAll = members.every((m) => m.state === "master" || m.isAsking);
  return wantsAll ? tell(members, "promote", (m) => m.state === "backup") : [];
}

const tell = (members: readonly Member[], type: Order["input"]["type"], who: (m: Member) => boolean): Order[] =>
  members.filter(who).map(({ name }) => ({ name, input: { type } }));

/** The state that is told of the group itself: the least of its members'. */
export function groupState(members: readonly Pick<Member, "state">[]): State["name"] {
  const order = ["init", "fault", "backup", "master"] as const;
  return order.find((state) => members.some((m) => m.state === state)) ?? "init";
}
