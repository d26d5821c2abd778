import { altered, type Change, changes, type Held, holdings, nothingHeld, onLinks, together } from "../../vrrp/addresses.ts";
import type { VrrpConfig } from "../../vrrp/config.ts";
import type { Link } from "../../wire/rtnetlink-link.ts";
import type { Announcer } from "./announcer.ts";
import type { Firewall } from "./firewall.ts";
import { hasArp, type Network } from "./network.ts";
import type { Unit } from "./unit.ts";

/** Puts addresses, routes and rules on the machine, takes them away, and announces them. */

export interface HolderTools {
  readonly network: Network;
  readonly announcer: Announcer;
  readonly firewall: Firewall;
  /** Does the machine forward on this link? */
  isRouter(link: Link): boolean;
}

export class Holder {
  readonly #network: Network;
  readonly #announcer: Announcer;
  readonly #firewall: Firewall;
  readonly #isRouter: (link: Link) => boolean;

  #statics: VrrpConfig["statics"] = { addresses: [], routes: [], rules: [] };

  constructor({ network, announcer, firewall, isRouter }: HolderTools) {
    this.#network = network;
    this.#announcer = announcer;
    this.#firewall = firewall;
    this.#isRouter = isRouter;
  }

  holdings(unit: Unit): Held {
    const links = this.#network.links();
    return holdings(unit.config, (name) => links.find((l) => l.name === name)?.ifindex);
  }

  /** What is there from start to stop. Takes effect with the next reconcile. @returns what was there before */
  setStatics(statics: VrrpConfig["statics"]): Held {
    const before = this.#fixed();
    this.#statics = statics;
    return before;
  }

  #fixed(): Held {
    const links = this.#network.links();
    return onLinks(this.#statics, undefined, (name) => links.find((l) => l.name === name)?.ifindex);
  }

  /** All that it should have is there. */
  isHeld(unit: Unit): boolean {
    const own = this.holdings(unit);
    const there = this.#network.held([...new Set(own.routes.map((r) => r.table))]);
    return own.addresses.length > 0 && changes(own, own, there).length === 0;
  }

  /** Without asking first what is there: that would cost time, and what is there already does no harm. */
  take(unit: Unit, all: Iterable<Unit>): void {
    unit.isHolding = true;
    this.refuse(all); // first: there must be no moment in which they are let through
    const own = this.holdings(unit);
    this.#apply(changes(own, own, nothingHeld));
  }

  release(unit: Unit, all: Iterable<Unit>): void {
    unit.isHolding = false;
    this.#announcer.drop(unit.config.name);
    const own = this.holdings(unit);
    this.#apply(changes(nothingHeld, own, own));
    this.refuse(all);
  }

  /** Has the firewall drop what is for addresses of those that do not accept it. */
  refuse(all: Iterable<Unit>): void {
    const units = [...all].filter((u) => u.isHolding && !u.config.accept);
    this.#firewall.refuse(units.flatMap((u) => [...u.config.addresses, ...u.config.excluded].map((a) => a.ip)));
  }

  /** @returns the addresses that it began with, as "ADDRESS on INTERFACE" */
  announce(unit: Unit, repeat: number): readonly string[] {
    const links = this.#network.links();
    const targets = this.holdings(unit).addresses.flatMap(({ address, ifindex }) => {
      const link = links.find((l) => l.ifindex === ifindex);
      return link === undefined || !hasArp(link)
        ? []
        : [{ address, link, isRouter: address.includes(":") && this.#isRouter(link) }];
    });
    const common = { owner: unit.config.name, isReply: unit.config.garpReplies };
    for (let n = 0; n < repeat; n++) for (const target of targets) this.#announcer.announce({ ...common, ...target });
    return targets.map(({ address, link }) => `${link.name} for ${address}`);
  }

  /**
   * What is there of ours and should not be goes; what should be there comes (back).
   * @param gone what there was before: what of it is not wanted any more goes, what is wanted otherwise is made anew
   * @returns how many things each instance that holds got back
   */
  reconcile(units: readonly Unit[], gone: Held = nothingHeld): ReadonlyMap<Unit, number> {
    const all = new Map(units.map((unit) => [unit, this.holdings(unit)]));
    const holding = units.filter((u) => u.isHolding);
    const fixed = this.#fixed();
    const own = together([...all.values(), fixed, gone]);
    const wanted = together([...holding.map((u) => all.get(u)!), fixed]);
    const tables = [...new Set(own.routes.map((r) => r.table))];
    const there = (): Held => this.#network.held(tables);
    const stale = altered(gone, wanted);
    if (listOf(stale).length > 0) this.#apply(changes(nothingHeld, stale, there())); // the kernel may take others with them
    const todo = changes(wanted, own, there());
    this.#apply(todo);
    const made = new Set<unknown>(todo.filter((c) => c.op === "add").map((c) => c.value));
    return new Map(holding.map((unit) => [unit, listOf(all.get(unit)!).filter((thing) => made.has(thing)).length]));
  }

  #apply(todo: readonly Change[]): void {
    for (const change of todo) this.#network.apply(change);
  }
}

const listOf = (h: Held): readonly unknown[] => [...h.addresses, ...h.routes, ...h.rules];
