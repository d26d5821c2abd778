import { createServer, type Server } from "node:http";
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
} from "../director/director.ts";
import { Table } from "../director/table.ts";
import type { Client } from "./client.ts";

/** Stand-ins for lvsd in the tests of the commands: the control state alone, without packets. */

export interface Fake extends Client {
  /** What `conns` answers. */
  connList: readonly Conn[];
  /** Numbers that only a data path would count, by dest address and port or service id. */
  readonly counts: Map<string, Partial<Dest>>;
  readonly batches: (readonly Operation[])[];
}

/** A director that does what it is told. Its only interface is lo. */
export function fakeClient(): Fake {
  const table = new Table({
    maxServices: 100_000,
    maxDests: 100_000,
    refuse: (operation) =>
      operation.op === "start-daemon" && operation.daemon.interface !== "lo"
        ? { code: "ENODEV", message: "no such interface" }
        : undefined,
  });
  const fake: Fake = {
    connList: [],
    counts: new Map(),
    batches: [],
    info: async () => ({ version: 0x010201, connTableSize: 4096 }),
    services: async (key?: ServiceKey) =>
      servicesOf(table, fake.counts).filter((s) => key === undefined || serviceId(s.key) === serviceId(key)),
    async *conns() {
      yield fake.connList;
    },
    timeouts: async () => table.timeouts(),
    daemons: async () => table.daemons(),
    settings: async () => table.settings(),
    async apply(operations): Promise<readonly Refusal[]> {
      fake.batches.push(operations);
      return table.apply(operations).refusals;
    },
  };
  return fake;
}

function servicesOf(table: Table, counts: Fake["counts"]): Service[] {
  return [...table.services()].map((service) => ({
    ...service.spec,
    counters: noCounters,
    rates: noRates,
    ...counts.get(serviceId(service.spec.key)),
    localAddresses: service.localAddresses.map((addr) => ({ addr, conflicts: 0, conns: 0 })),
    dests: service.dests.map(({ spec }) => ({
      ...spec,
      activeConns: 0,
      inactiveConns: 0,
      persistConns: 0,
      counters: noCounters,
      rates: noRates,
      ...counts.get(`${spec.addr} ${spec.port}`),
    })),
  }));
}

/** The control socket's protocol in front of a client. Close it when done. */
export async function serveFake(client: Client, path: string): Promise<Server> {
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? "/", "http://lvsd");
    const answer = (status: number, value: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    if (request.method === "POST" && url.pathname === "/v1/operations") {
      let body = "";
      for await (const chunk of request.setEncoding("utf8")) body += chunk;
      const { operations } = JSON.parse(body) as { operations: readonly Operation[] };
      return answer(200, { refusals: await client.apply(operations) });
    }
    const key = url.searchParams.get("key");
    switch (url.pathname) {
      case "/v1/info":
        return answer(200, await client.info());
      case "/v1/services":
        return answer(200, await client.services(key === null ? undefined : (JSON.parse(key) as ServiceKey)));
      case "/v1/timeouts":
        return answer(200, await client.timeouts());
      case "/v1/daemons":
        return answer(200, await client.daemons());
      case "/v1/settings":
        return answer(200, await client.settings());
      case "/v1/conns":
        for await (const batch of client.conns()) for (const conn of batch) response.write(`${JSON.stringify(conn)}\n`);
        return response.end();
      default:
        return answer(404, { error: { code: "ENOENT", message: `no ${url.pathname} here` } });
    }
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return server;
}
