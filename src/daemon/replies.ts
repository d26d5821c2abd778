import { z } from "zod";
import type { Conn, Dest, DirectorInfo, LocalAddress, Refusal, Service, SyncDaemon, Timeouts } from "../director/director.ts";
import { KINDS, type Outcome, type Plan } from "../director/plan.ts";
import type { Explanation, ServiceRates, Status } from "../director/status.ts";
import type { Mac } from "../net/mac.ts";
import type { ServiceStatus } from "./health/status.ts";
import { destSpec, endpoint, serviceKey, syncDaemon } from "./schema.ts";

/** What the control socket answers. These describe (openapi.json); nothing is checked against them on its way out. */

const count = z.int().min(0);
const text = z.string();
const ip = endpoint.shape.addr;
const mac = z.string() as unknown as z.ZodType<Mac, Mac>;
const list = <Item extends z.ZodType>(item: Item) => z.array(item).readonly();

const counters = z.object({ conns: count, inPackets: count, outPackets: count, inBytes: count, outBytes: count });
const rates = z.object({ cps: count, inPps: count, outPps: count, inBps: count, outBps: count });

const dest = destSpec.extend({
  activeConns: count,
  inactiveConns: count,
  persistConns: count,
  counters,
  rates,
  failures: z.object({ resets: count, unanswered: count }).exactOptional(),
  hop: z.object({ state: z.enum(["resolved", "unresolved", "unreachable", "local"]), via: text.exactOptional() }).exactOptional(),
});

const localAddress = z.object({ addr: endpoint.shape.addr, conflicts: count, conns: count });

export const service = z.object({
  key: serviceKey,
  scheduler: text,
  schedFlags: list(z.literal([1, 2, 3])),
  persistSeconds: count,
  netmask: count,
  onePacket: z.boolean(),
  pe: text,
  dests: list(dest),
  localAddresses: list(localAddress),
  counters,
  rates,
});

export const conn = z.object({
  protocol: z.enum(["tcp", "udp", "sctp", "ip"]),
  client: endpoint,
  virtual: endpoint,
  dest: endpoint,
  local: endpoint.exactOptional(),
  method: z.enum(["nat", "route", "tunnel", "fullnat", "local", "bypass"]),
  state: text,
  expiresIn: count,
  active: z.boolean(),
  template: z.boolean(),
  fwmark: count,
  pe: z.object({ name: text, data: text }).exactOptional(),
});

export const info = z.object({ version: count, connTableSize: count });
export const timeouts = z.object({ tcp: count, tcpFin: count, udp: count });
export const settings = z.record(text, text);
export const daemon = syncDaemon;

const refusal = z.object({ index: count, code: text, message: text });
export const refusals = z.object({ refusals: list(refusal) });

export const status = z.object({
  pid: count,
  version: text,
  engine: text,
  uptimeSeconds: count,
  attachments: list(
    z.object({
      interface: text,
      ifindex: count,
      hook: z.enum(["xdp", "tc"]),
      mode: z.enum(["native", "generic", "tc"]),
      adopted: z.boolean(),
    }),
  ),
  table: z.object({ conns: count, capacity: count, services: count, dests: count }),
  exits: z.record(text, count),
  file: z
    .object({ file: text, seconds: count, waiting: z.object({ file: text, seconds: count }).exactOptional() })
    .exactOptional(),
});

export const serviceRates = service.pick({ key: true, rates: true }).extend({
  dests: list(dest.pick({ addr: true, port: true, weight: true, activeConns: true, inactiveConns: true, rates: true })),
});

const hop = z.object({ interface: text, via: ip, sourceMac: mac, destinationMac: mac, mtu: count });
const tunnel = z.object({ type: z.enum(["ipip", "gue", "gre"]), source: ip, destination: ip, port: count });

/** Of VRRP, as src/daemon/vrrp/status.ts has it; `age` in ms. */
export const vrrpInstance = z.looseObject({
  ...{ name: text, vrid: count, family: z.enum(["ipv4", "ipv6"]), version: z.literal([2, 3]), interface: text.exactOptional() },
  state: z.enum(["INIT", "BACKUP", "MASTER", "FAULT"]),
  ...{ age: z.number(), priority: count, effectivePriority: count },
  ...{ addresses: list(ip), isHolding: z.boolean(), faults: list(text), rivals: list(ip) },
  troubles: list(
    z.object({ peer: ip, field: text, got: text, expected: text, count, age: z.number(), lastAge: z.number() }), // ages in ms
  ),
});

/** Of checks, as src/daemon/health/status.ts has it; ages and waits in ms. */
const checkOfServer = z.object({
  ...{ type: text, isUp: z.boolean(), hasRun: z.boolean(), age: z.number(), retriesLeft: count, isHeld: z.boolean() },
  ...{
    last: text.exactOptional(),
    warning: text.exactOptional(),
    failure: z.object({ reason: text, age: z.number() }).exactOptional(),
  },
  ...{ took: z.number().exactOptional(), nextIn: z.number().exactOptional() },
});

const checkedServer = z.object({
  ...{ name: text, isAlive: z.boolean(), age: z.number(), weight: count, weightNow: count, checks: list(checkOfServer) },
});

export const checkedService = z.object({
  ...{ name: text, hasQuorum: z.boolean(), quorum: count, weight: count, isSuspended: z.boolean() },
  servers: list(checkedServer),
});

const liveConns = z.object({ active: count, inactive: count, persistent: count });
const waiting = z.object({ file: text, seconds: count }).exactOptional();
const change = z.object({
  what: z.enum(["add", "change", "remove"]),
  kind: z.enum(KINDS),
  ...{ name: text, of: text.exactOptional(), and: list(text).exactOptional() },
  fields: list(z.object({ field: text, from: text.exactOptional(), to: text.exactOptional() })),
  conns: liveConns.exactOptional(),
  effects: list(text),
});
export const plan = z.object({ file: text, problems: list(text), notes: list(text), changes: list(change), waiting });
export const outcome = plan.extend({
  ...{ isDone: z.boolean(), troubles: list(text), remarks: list(text) },
  ...{ operations: count, took: count },
});
/** Of BFD, as src/daemon/bfd/status.ts has it; times in ms. */
const bfdState = z.enum(["AdminDown", "Down", "Init", "Up"]);

export const bfdSession = z.looseObject({
  ...{ name: text, neighbour: ip, source: ip.exactOptional(), state: bfdState, diagnostic: text, age: z.number() },
  ...{ transmitInterval: z.number(), detectionTime: z.number(), multiplier: count, discriminator: count },
  ...{ isPolling: z.boolean(), isMute: z.boolean() },
  remote: z.looseObject({ state: bfdState, diagnostic: text, discriminator: count, heardAge: z.number().exactOptional() }),
  fell: z.object({ age: z.number(), diagnostic: text }).exactOptional(),
  counters: z.object({ sent: count, received: count, ups: count, refused: z.record(text, count) }),
});

export const explanation = z.object({
  lines: list(text),
  verdict: text.exactOptional(),
  mark: z.object({ rule: count, mark: count }).exactOptional(),
  conn: conn.exactOptional(),
  service: serviceKey.exactOptional(),
  template: z.object({ dest: endpoint, expiresIn: count, isValid: z.boolean() }).exactOptional(),
  scheduler: z
    .object({
      name: text,
      state: text,
      pick: endpoint.exactOptional(),
      dests: list(endpoint.extend({ why: text, cost: z.number().exactOptional() })),
    })
    .exactOptional(),
  dest: endpoint.exactOptional(),
  leaves: z
    .object({
      source: endpoint.exactOptional(),
      destination: endpoint,
      tunnel: tunnel.exactOptional(),
      hop: hop.exactOptional(),
    })
    .exactOptional(),
});

export const failure = z.object({
  error: z.object({
    code: text,
    message: text,
    problems: list(z.object({ path: text, message: text })).exactOptional(),
  }),
});

/** Whatever the director says fits its description: this file does not compile when one of them changes alone. */
type Fits<Value, Described> = [Value] extends [Described] ? true : never;
export const agreed: {
  readonly service: Fits<Service, z.output<typeof service>>;
  readonly dest: Fits<Dest, z.output<typeof dest>>;
  readonly localAddress: Fits<LocalAddress, z.output<typeof localAddress>>;
  readonly conn: Fits<Conn, z.output<typeof conn>>;
  readonly info: Fits<DirectorInfo, z.output<typeof info>>;
  readonly timeouts: Fits<Timeouts, z.output<typeof timeouts>>;
  readonly daemon: Fits<SyncDaemon, z.output<typeof daemon>>;
  readonly refusal: Fits<Refusal, z.output<typeof refusal>>;
  readonly plan: Fits<Plan, z.output<typeof plan>>;
  readonly outcome: Fits<Outcome, z.output<typeof outcome>>;
  readonly status: Fits<Status, z.output<typeof status>>;
  readonly serviceRates: Fits<ServiceRates, z.output<typeof serviceRates>>;
  readonly explanation: Fits<Explanation, z.output<typeof explanation>>;
  readonly checkedService: Fits<ServiceStatus, z.output<typeof checkedService>>;
} = {
  service: true,
  dest: true,
  localAddress: true,
  conn: true,
  info: true,
  timeouts: true,
  daemon: true,
  refusal: true,
  plan: true,
  outcome: true,
  status: true,
  serviceRates: true,
  explanation: true,
  checkedService: true,
};
