import { type Family, familyOf, type Ip } from "../../net/ip.ts";
import type { Candidate } from "../../sched/index.ts";
import type { DestSpec } from "../director.ts";
import type { ServiceState } from "./services.ts";
import { Tally } from "./tally.ts";

/** A dest at work: what its service wants of it, and its load. */
export class DestState implements Candidate {
  readonly id: number;
  spec: DestSpec;
  lastWeight: number;
  available = true;
  overloaded = false;
  activeConns = 0;
  totalConns = 0;
  /** Templates. */
  persistConns = 0;
  /** Of the path to it, as an ICMP error about a tunnel told (bytes). */
  learnedMtu = Number.POSITIVE_INFINITY;
  readonly tally = new Tally();
  /** In which it is, or was last. */
  service: ServiceState;

  constructor(id: number, spec: DestSpec, service: ServiceState) {
    this.id = id;
    this.service = service;
    this.spec = spec;
    this.lastWeight = spec.weight;
  }

  get addr(): Ip {
    return this.spec.addr;
  }
  get port(): number {
    return this.spec.port;
  }
  get family(): Family {
    return familyOf(this.spec.addr);
  }
  get weight(): number {
    return this.spec.weight;
  }

  /** Below this many conns it is no longer overloaded: the lower threshold, or three quarters of the upper one. */
  get #relief(): number {
    const { upper, lower } = this.spec;
    return lower === 0 ? upper - (upper >> 2) : lower;
  }

  /** A conn is bound to it. */
  enter(isActive: boolean): void {
    this.totalConns++;
    if (isActive) this.activeConns++;
    const { upper } = this.spec;
    if (upper > 0 && this.totalConns === upper && this.totalConns >= this.#relief) this.overloaded = true;
  }

  /** A conn is unbound. Spec 2.4. */
  leave(isActive: boolean): void {
    const before = this.totalConns--;
    if (isActive) this.activeConns--;
    if (this.spec.upper > 0 && before === this.#relief) this.overloaded = this.totalConns >= this.spec.upper;
  }

  edit(spec: DestSpec): void {
    const before = this.spec;
    this.spec = spec;
    if (spec.weight !== 0) this.lastWeight = spec.weight;
    if (spec.upper === before.upper && spec.lower === before.lower) return;
    if (spec.upper === 0 || this.totalConns < this.#relief) this.overloaded = false;
    else if (this.totalConns >= spec.upper) this.overloaded = true;
  }

  /** Back from the trash. */
  revive(spec: DestSpec, service: ServiceState): void {
    this.service = service;
    this.edit(spec);
    this.lastWeight = spec.weight;
    this.available = true;
    this.learnedMtu = Number.POSITIVE_INFINITY;
  }
}
