import type { Tracking, TrackRef } from "../../vrrp/config.ts";
import type { Tracked } from "../../vrrp/track.ts";
import type { Link } from "../../wire/rtnetlink-link.ts";
import { isUp } from "./network.ts";
import type { Trackers } from "./trackers.ts";

/** What is tracked, with what it is at the moment and the weight it has here. */
export function trackedBy(tracking: Tracking, trackers: Trackers, links: readonly Link[]): readonly Tracked[] {
  const up = new Set(links.flatMap((link) => (isUp(link) ? [link.name] : [])));
  const interfaces = tracking.interfaces.map(({ name, weight }): Tracked => {
    return { kind: "interface", name, weight: weight ?? { weight: 0, reverse: false }, value: up.has(name) };
  });
  const look = (kind: Exclude<Tracked["kind"], "interface">, refs: readonly TrackRef[]): Tracked[] =>
    refs.map(({ name, weight }) => {
      const thing = trackers.look(kind, name);
      return { kind, name, weight: weight ?? thing.weight, value: thing.value };
    });
  return [
    ...interfaces,
    ...look("script", tracking.scripts),
    ...look("file", tracking.files),
    ...look("process", tracking.processes),
    ...look("bfd", tracking.bfds),
  ];
}
