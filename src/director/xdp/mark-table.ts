import type { Protocol, Refusal } from "../director.ts";
import { type MarkRule, markProblems, maskBytes, type Net, type PortRange } from "../marks.ts";
import * as abi from "./abi.gen.ts";
import { protocolName, protocolNumber } from "./keys.ts";
import type { DataPath } from "./loader.ts";
import { addr, setAddr, setU16, setU32, u16, u32, viewOf } from "./memory.ts";

/** An interface that is not there: no packet comes in by it. */
const ABSENT = 0xffff_ffff;
const [WORD, ADDRESS] = [4, 16]; // bytes

/**
 * Mark rules in the data path. They live there, and the next lvsd reads them back; only the names of interfaces do not fit
 * and go with the notes, by number.
 */
export class MarkTable {
  readonly #path: DataPath;
  /** A rule names the interface at place n by n + 1. */
  #names: readonly string[];
  #ifindexes: ReadonlyMap<string, number> = new Map();
  #rules: readonly MarkRule[];

  /** @param names of interfaces, as an earlier lvsd had written them down */
  constructor(path: DataPath, names: readonly string[]) {
    this.#path = path;
    this.#names = names;
    this.#rules = Array.from({ length: this.#count }, (_, at) => this.#read(at));
  }

  get rules(): readonly MarkRule[] {
    return this.#rules;
  }

  /** For the notes. */
  get interfaceNames(): readonly string[] {
    return this.#names;
  }

  /** A packet that is under way may see a list of which a part is new, never a rule of which a part is. */
  set(rules: readonly MarkRule[]): readonly Refusal[] {
    const problems = markProblems(rules);
    if (problems.length > 0) return problems;
    this.#names = [...new Set(rules.flatMap((rule) => rule.interface ?? []))];
    if (rules.length < this.#count) this.#count = rules.length;
    rules.forEach((rule, at) => {
      this.#write(at, rule);
    });
    this.#count = rules.length;
    for (let at = rules.length; at < this.#rules.length; at++) this.#path.memory.marks.clear(at);
    this.#rules = rules;
    return [];
  }

  /** Interfaces have come, gone, or been numbered anew. */
  followInterfaces(ifindexes: ReadonlyMap<string, number>): void {
    this.#ifindexes = ifindexes;
    const { view } = this.#path.memory.marks;
    this.#rules.forEach((rule, at) => {
      setU32(view, this.#path.memory.marks.at(at) + abi.markRule.ifindex, this.#ifindexOf(rule));
    });
  }

  #ifindexOf(rule: MarkRule): number {
    return rule.interface === undefined ? 0 : (this.#ifindexes.get(rule.interface) ?? ABSENT);
  }

  get #count(): number {
    return u32(this.#path.memory.settings.view, abi.settings.markRules);
  }
  set #count(count: number) {
    setU32(this.#path.memory.settings.view, abi.settings.markRules, count);
  }

  /** Without a family a rule fits nothing: that comes off first and on last. One that stays as it is is not touched. */
  #write(place: number, rule: MarkRule): void {
    const { bytes } = this.#path.memory.marks;
    const at = this.#path.memory.marks.at(place);
    const value = this.#encoded(rule);
    if (value.every((byte, i) => bytes[at + i] === byte)) return;
    const family = value[abi.markRule.family] ?? 0;
    bytes[at + abi.markRule.family] = 0;
    value[abi.markRule.family] = 0;
    bytes.set(value, at);
    bytes[at + abi.markRule.family] = family;
  }

  #encoded(rule: MarkRule): Uint8Array {
    const bytes = new Uint8Array(abi.markRule.size);
    const view = viewOf(bytes);
    setU32(view, abi.markRule.mark, rule.mark);
    setU32(view, abi.markRule.ifindex, this.#ifindexOf(rule));
    setNet(bytes, abi.markRule.src, abi.markRule.srcMask, rule.source);
    setNet(bytes, abi.markRule.dst, abi.markRule.dstMask, rule.destination);
    setU16(view, abi.markRule.sportFirst, rule.sourcePorts?.first ?? 0);
    setU16(view, abi.markRule.sportLast, rule.sourcePorts?.last ?? 0);
    setU16(view, abi.markRule.dportFirst, rule.destinationPorts?.first ?? 0);
    setU16(view, abi.markRule.dportLast, rule.destinationPorts?.last ?? 0);
    setU16(view, abi.markRule.spare, rule.interface === undefined ? 0 : this.#names.indexOf(rule.interface) + 1);
    bytes[abi.markRule.protocol] = rule.protocol === undefined ? 0 : protocolNumber[rule.protocol];
    bytes[abi.markRule.family] = rule.family === "ipv6" ? 6 : 4;
    return bytes;
  }

  #read(place: number): MarkRule {
    const { view, bytes } = this.#path.memory.marks;
    const at = this.#path.memory.marks.at(place);
    const family = bytes[at + abi.markRule.family] ?? 4;
    const protocol = bytes[at + abi.markRule.protocol] ?? 0;
    const source = netAt(bytes, at + abi.markRule.src, at + abi.markRule.srcMask, family);
    const destination = netAt(bytes, at + abi.markRule.dst, at + abi.markRule.dstMask, family);
    const sourcePorts = portsAt(view, at + abi.markRule.sportFirst, at + abi.markRule.sportLast);
    const destinationPorts = portsAt(view, at + abi.markRule.dportFirst, at + abi.markRule.dportLast);
    const name = this.#names[u16(view, at + abi.markRule.spare) - 1];
    return {
      mark: u32(view, at + abi.markRule.mark),
      family: family === 6 ? "ipv6" : "ipv4",
      ...(protocol !== 0 && { protocol: protocolName(protocol) as Protocol }),
      ...(source && { source }),
      ...(destination && { destination }),
      ...(sourcePorts && { sourcePorts }),
      ...(destinationPorts && { destinationPorts }),
      ...(name !== undefined && { interface: name }),
    };
  }
}

/** Into zeros. The data path compares all four words: those that IPv4 does not use have no mask. */
function setNet(bytes: Uint8Array, at: number, maskAt: number, net: Net | undefined): void {
  if (net === undefined) return;
  setAddr(bytes, at, net.addr);
  bytes.set(maskBytes(net), maskAt);
}

/** A prefix of no bits fits everything, and so is none. */
function netAt(bytes: Uint8Array, at: number, maskAt: number, family: number): Net | undefined {
  const mask = bytes.subarray(maskAt, maskAt + (family === 6 ? ADDRESS : WORD));
  const length = mask.reduce((bits, byte) => bits + bitsOf(byte), 0);
  return length === 0 ? undefined : { addr: addr(bytes, at, family), length };
}

const bitsOf = (byte: number): number => [...byte.toString(2)].filter((bit) => bit === "1").length;

function portsAt(view: DataView, firstAt: number, lastAt: number): PortRange | undefined {
  const last = u16(view, lastAt);
  return last === 0 ? undefined : { first: u16(view, firstAt), last };
}
