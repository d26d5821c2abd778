import {
  type Conn,
  type Dest,
  noCounters,
  noRates,
  type Operation,
  type Refusal,
  type Service,
  type ServiceKey,
  serviceId,
} from "../../director/director.ts";
import type { EngineDirector, EngineName, Log } from "../../director/engine.ts";
import { type MarkRule, markProblems } from "../../director/marks.ts";
import type { ExplainQuery } from "../../director/status.ts";
import { ip } from "../../net/ip.ts";

/** Tables in memory, for tests of what stands around a director. It keeps services and dests, and does nothing with packets. */
export class FakeDirector implements EngineDirector {
  readonly engine: EngineName;
  readonly #services = new Map<string, Service>();
  #marks: readonly MarkRule[] = [];
  readonly applied: Operation[] = [];
  readonly interfaces: readonly string[];
  connCount = 0;
  ticks = 0;
  stopped: { leave: boolean } | undefined;

  constructor(interfaces: readonly string[] = [], engine: EngineName = "xdp") {
    this.interfaces = interfaces;
    this.engine = engine;
  }

  info = () => ({ version: 0x10201, connTableSize: 1 << 20 });
  services = () => [...this.#services.values()];
  service = (key: ServiceKey) => this.#services.get(serviceId(key));
  timeouts = () => ({ tcp: 900, tcpFin: 120, udp: 300 });
  settings = () => ({ drop_entry: "0", sync_threshold: "3 50" });
  syncDaemons = () => [];
  attachments = () => this.interfaces.map((name, i) => attachment(name, i + 2));
  exits = () => ({ "table-full": 1, "no-service": 3, nat: 1000, ttl: 0, "no-dest": 7 });
  tableUse = () => ({ conns: this.connCount, capacity: 1 << 20, services: this.#services.size, dests: 0 });
  explain = ({ protocol, virtual, interface: by }: ExplainQuery) => ({
    lines: [`${protocol} to ${virtual.addr}${by === undefined ? "" : ` by ${by}`}`],
    verdict: "pass",
  });

  marks = () => this.#marks;
  setMarks(rules: readonly MarkRule[]): readonly Refusal[] {
    const problems = markProblems(rules);
    if (problems.length === 0) this.#marks = rules;
    return problems;
  }

  apply(operations: readonly Operation[]): readonly Refusal[] {
    const refusals = operations.flatMap((operation, index) => this.#refusal(operation, index));
    if (refusals.length > 0) return refusals;
    for (const operation of operations) this.#carryOut(operation);
    return [];
  }

  #refusal(operation: Operation, index: number): Refusal[] {
    const exists = operation.op === "add-service" && this.service(operation.service.key) !== undefined;
    return exists ? [{ index, code: "EEXIST", message: "the service exists" }] : [];
  }

  #carryOut(operation: Operation): void {
    this.applied.push(operation);
    if (operation.op === "flush") this.#services.clear();
    if (operation.op === "add-service") this.#put({ ...operation.service, ...noStatistics, dests: [], localAddresses: [] });
    if (operation.op === "add-dest") {
      const service = this.service(operation.key);
      if (service !== undefined) this.#put({ ...service, dests: [{ ...operation.dest, ...newDest }, ...service.dests] });
    }
  }

  #put(service: Service): void {
    this.#services.set(serviceId(service.key), service);
  }

  *conns(): Generator<Conn> {
    for (let i = 0; i < this.connCount; i++) yield conn(i);
  }

  tick(): void {
    this.ticks++;
  }

  close(): void {}

  stop(how: { leave: boolean }): void {
    this.stopped = how;
  }
}

const noStatistics = { counters: noCounters, rates: noRates };
const newDest: Omit<Dest, keyof import("../../director/director.ts").DestSpec> = {
  activeConns: 0,
  inactiveConns: 0,
  persistConns: 0,
  ...noStatistics,
};
const attachment = (name: string, ifindex: number) =>
  ({ interface: name, ifindex, hook: "xdp", mode: "native", adopted: false }) as const;

const client = ip("192.0.2.7");
const virtual = { addr: ip("10.0.0.100"), port: 80 };
const dest = { addr: ip("10.0.0.11"), port: 8080 };

function conn(i: number): Conn {
  const from = { addr: client, port: i & 0xffff };
  const state = { state: "ESTABLISHED", expiresIn: 900, active: true, template: false, fwmark: 0 };
  return { protocol: "tcp", client: from, virtual, dest, method: "nat", ...state };
}

export const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
