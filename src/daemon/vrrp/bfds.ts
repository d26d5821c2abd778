import type { Tracking, VrrpConfig } from "../../vrrp/config.ts";

/** Which BFD sessions are up. Somebody else runs them, and tells. */
export class Bfds {
  /** undefined: nobody has told yet. */
  #up: ReadonlySet<string> | undefined;

  isUp(name: string): boolean | undefined {
    return this.#up?.has(name);
  }

  /** All that are up; the others are not. What the log is to say, in keepalived's words; undefined: nothing is new. */
  tell(names: readonly string[], config: VrrpConfig): readonly string[] | undefined {
    const before = this.#up;
    const now = new Set(names);
    this.#up = now;
    const turned = config.bfds.filter(({ name }) => now.has(name) !== (before?.has(name) ?? false));
    if (before !== undefined && turned.length === 0) return undefined;
    return turned.flatMap(({ name }) =>
      trackersOf(name, config).map(
        (instance) => `VRRP_Instance(${instance}) Tracked BFD instance ${name} is ${now.has(name) ? "UP" : "DOWN"}`,
      ),
    );
  }
}

/** The instances that track it, by themselves or through their group. */
function trackersOf(bfd: string, { instances, groups }: VrrpConfig): string[] {
  const tracks = ({ bfds }: Tracking): boolean => bfds.some(({ name }) => name === bfd);
  const together = new Set(groups.flatMap(({ members, track }) => (tracks(track) ? members : [])));
  return instances.filter(({ name, track }) => tracks(track) || together.has(name)).map(({ name }) => name);
}
