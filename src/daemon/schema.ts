import { z } from "zod";
import { type DestSpec, familyOfService, type Operation, type ServiceKey, type ServiceSpec } from "../director/director.ts";
import { MAX_MARK_RULES, type MarkRule } from "../director/marks.ts";
import type { ExplainQuery } from "../director/status.ts";
import { type Ip, parseIp } from "../net/ip.ts";

/**
 * What the control socket takes, written once: checks, defaults, and the API's description come from here. A schema admits
 * what the words mean and the widths can hold; what is refused for its sense (a negative weight, an unknown scheduler) is
 * the director's to say, with the kernel's code.
 */

const address = z.string().check((ctx) => {
  const parsed = parseIp(ctx.value);
  if (parsed === undefined) ctx.issues.push({ code: "custom", message: "not an IP address", input: ctx.value });
  else ctx.value = parsed;
}) as unknown as z.ZodType<Ip, Ip>;
const integer = (least: number, greatest: number) => z.int().min(least).max(greatest);
const port = integer(0, 65535);
const u32 = integer(0, 0xffff_ffff);
const weight = integer(-0x8000_0000, 0x7fff_ffff);
const protocol = z.enum(["tcp", "udp", "sctp"]);
const interfaceName = z.string().max(15);

export const endpoint = z.strictObject({ addr: address, port });

export const serviceKey = z.union([
  z.strictObject({ protocol, addr: address, port }),
  z.strictObject({ fwmark: u32, family: z.enum(["ipv4", "ipv6"]) }),
]);

const withoutNetmask = {
  key: serviceKey,
  scheduler: z.string().max(15),
  schedFlags: z.array(z.literal([1, 2, 3])).default([]),
  persistSeconds: u32.default(0),
  onePacket: z.boolean().default(false),
  pe: z.string().max(16).default(""),
};

/** Absent, the netmask is that of single hosts. */
export const serviceSpec = z.strictObject({ ...withoutNetmask, netmask: u32.optional() }).check((ctx) => {
  ctx.value.netmask ??= familyOfService(ctx.value.key) === "ipv4" ? 0xffff_ffff : 128;
}) as unknown as z.ZodType<ServiceSpec>;

const plainTunnel = { type: "ipip", port: 0, checksum: "none" } as const;
const destKey = { addr: address, port };

export const destSpec = z.strictObject({
  ...destKey,
  method: z.enum(["nat", "route", "tunnel", "fullnat"]),
  weight: weight.default(1),
  upper: u32.default(0),
  lower: u32.default(0),
  tunnel: z
    .strictObject({ type: z.enum(["ipip", "gue", "gre"]), port, checksum: z.enum(["none", "csum", "remcsum"]) })
    .default(plainTunnel),
  toa: z.boolean().default(false),
});

const seconds = u32;
const syncState = z.enum(["master", "backup"]);
export const syncDaemon = z.strictObject({
  state: syncState,
  interface: interfaceName,
  syncId: u32,
  maxLen: integer(0, 65535).exactOptional(),
  group: address.exactOptional(),
  port: port.exactOptional(),
  ttl: integer(0, 255).exactOptional(),
});

export const operation = z.discriminatedUnion("op", [
  z.strictObject({ op: z.enum(["add-service", "edit-service"]), service: serviceSpec }),
  z.strictObject({ op: z.literal("delete-service"), key: serviceKey }),
  z.strictObject({ op: z.literal("flush") }),
  z.strictObject({ op: z.enum(["add-dest", "edit-dest"]), key: serviceKey, dest: destSpec }),
  z.strictObject({ op: z.literal("delete-dest"), key: serviceKey, dest: z.strictObject(destKey) }),
  z.strictObject({ op: z.enum(["add-laddr", "delete-laddr"]), key: serviceKey, addr: address }),
  z.strictObject({ op: z.literal("zero"), key: serviceKey.exactOptional() }),
  z.strictObject({
    op: z.literal("set-timeouts"),
    timeouts: z.strictObject({
      tcp: seconds.exactOptional(),
      tcpFin: seconds.exactOptional(),
      udp: seconds.exactOptional(),
    }),
  }),
  z.strictObject({ op: z.literal("set-setting"), name: z.string(), value: z.string() }),
  z.strictObject({ op: z.literal("start-daemon"), daemon: syncDaemon }),
  z.strictObject({ op: z.literal("stop-daemon"), state: syncState }),
]);

/** Compiled, since a restore has 100 000 of them: 0.13 s instead of 0.3. */
export const operations = z.compile(z.strictObject({ operations: z.array(operation) }), { strict: true });

const net = z.strictObject({ addr: address, length: integer(0, 128) });
const portRange = z.strictObject({ first: integer(1, 65535), last: integer(1, 65535) });
/** What is absent fits every packet. */
export const markRule = z.strictObject({
  mark: u32,
  family: z.enum(["ipv4", "ipv6"]),
  protocol: protocol.exactOptional(),
  source: net.exactOptional(),
  destination: net.exactOptional(),
  sourcePorts: portRange.exactOptional(),
  destinationPorts: portRange.exactOptional(),
  interface: interfaceName.min(1).exactOptional(),
});
export const markRules = z.strictObject({ rules: z.array(markRule).max(MAX_MARK_RULES) });

export const explainQuery = z.strictObject({
  protocol,
  client: endpoint,
  virtual: endpoint,
  interface: interfaceName.min(1).exactOptional(),
});

/** A path as lvsd sees it; absent: lvsd's own file. */
const file = z.string().startsWith("/").max(4095).exactOptional();
export const planOrder = z.strictObject({ file });
/** A day is enough to say yes. */
export const applyOrder = z.strictObject({ file, confirmSeconds: integer(1, 86_400).exactOptional() });

/** A schema and the type it stands for cannot drift apart: this file does not compile when they do. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never;
export const agreed: {
  readonly operation: Same<z.output<typeof operation>, Operation>;
  readonly key: Same<z.output<typeof serviceKey>, ServiceKey>;
  readonly dest: Same<z.output<typeof destSpec>, DestSpec>;
  readonly markRule: Same<z.output<typeof markRule>, MarkRule>;
  readonly query: Same<z.output<typeof explainQuery>, ExplainQuery>;
} = { operation: true, key: true, dest: true, markRule: true, query: true };
