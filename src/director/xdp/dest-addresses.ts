import type { Ip } from "../../net/ip.ts";
import type { DestSpec } from "../director.ts";
import type { Change, DestRecord } from "../records.ts";

/** The addresses that dests have, and for how many of them; followed change by change, since there may be many. */
export class DestAddresses {
  readonly #dests = new Map<Ip, number>();
  readonly #natDests = new Map<Ip, number>();

  /** Of one dest or more. */
  all(): Iterable<Ip> {
    return this.#dests.keys();
  }

  /** Of one NAT dest or more. */
  nat(): Iterable<Ip> {
    return this.#natDests.keys();
  }

  hasNat(address: Ip): boolean {
    return this.#natDests.has(address);
  }

  adopt(dests: Iterable<DestRecord>): void {
    for (const { spec } of dests) this.#count(spec, 1);
  }

  /** What came to be an address of dests, or ceased to; `touched` are all that a change was about. */
  follow(changes: readonly Change[]): { readonly isNew: boolean; readonly touched: ReadonlySet<Ip> } {
    const before = this.#dests.size;
    const touched = new Set<Ip>();
    let isNew = false;
    for (const change of changes) {
      if (change.kind !== "dest-added" && change.kind !== "dest-deleted" && change.kind !== "dest-edited") continue;
      touched.add(change.dest.spec.addr);
      if (change.kind === "dest-edited") {
        this.#count(change.before, -1);
        this.#count(change.after, 1);
      } else if (change.kind === "dest-added") {
        isNew ||= !this.#dests.has(change.spec.addr);
        this.#count(change.spec, 1);
      } else {
        this.#count(change.dest.spec, -1);
      }
    }
    return { isNew: isNew || this.#dests.size !== before, touched };
  }

  #count({ addr, method }: DestSpec, by: 1 | -1): void {
    add(this.#dests, addr, by);
    if (method === "nat") add(this.#natDests, addr, by);
  }
}

function add(counts: Map<Ip, number>, address: Ip, by: number): void {
  const count = (counts.get(address) ?? 0) + by;
  if (count === 0) counts.delete(address);
  else counts.set(address, count);
}
