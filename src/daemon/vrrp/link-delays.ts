import type { VrrpGlobals } from "../../vrrp/config.ts";
import type { Millis } from "../../vrrp/machine.ts";
import { IFF_UP, type Link } from "../../wire/rtnetlink-link.ts";
import { IFF_RUNNING, isUp } from "./network.ts";

/** `interface_up_down_delays`: a link that comes or goes does so only when it has stayed that way for a time. */
export class LinkDelays {
  /** By name: what it counts as, and when a change counts. */
  readonly #known = new Map<string, { isUp: boolean; timer: NodeJS.Timeout | undefined }>();
  readonly #onChange: () => void;
  #delays = new Map<string, { readonly down: Millis; readonly up: Millis }>();
  #links: readonly Link[] = [];

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  configure(delays: VrrpGlobals["linkDelays"]): void {
    this.#delays = new Map(delays.map((delay) => [delay.interface, delay]));
  }

  /** The links as they count. */
  see(links: readonly Link[]): readonly Link[] {
    if (this.#delays.size === 0) return links;
    this.#links = links;
    return links.map((link) => (this.#delays.has(link.name) ? this.#asItCounts(link) : link));
  }

  #asItCounts(link: Link): Link {
    const is = isUp(link);
    const known = this.#known.get(link.name) ?? { isUp: is, timer: undefined };
    this.#known.set(link.name, known);
    if (is === known.isUp) {
      clearTimeout(known.timer);
      known.timer = undefined;
      return link;
    }
    const delay = this.#delays.get(link.name)![is ? "up" : "down"];
    known.timer ??= setTimeout(() => this.#settle(link.name), delay);
    const flags = known.isUp ? link.flags | IFF_UP | IFF_RUNNING : link.flags & ~IFF_RUNNING;
    return { ...link, flags };
  }

  /** It has stayed so. */
  #settle(name: string): void {
    const known = this.#known.get(name)!;
    known.timer = undefined;
    const link = this.#links.find((one) => one.name === name);
    known.isUp = link !== undefined && isUp(link);
    this.#onChange();
  }

  close(): void {
    for (const { timer } of this.#known.values()) clearTimeout(timer);
  }
}
