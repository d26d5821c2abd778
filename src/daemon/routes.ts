import { z } from "zod";
import type { Dest, Director, Service } from "../director/director.ts";
import type { Marks } from "../director/engine.ts";
import type { DestRates, ExplainQuery, Explanation, ServiceRates, Status } from "../director/status.ts";
import { Fault } from "../fault.ts";
import type { SessionStatus } from "./bfd/status.ts";
import { type DumpName, dumpNames } from "./dump/names.ts";
import type { ServiceStatus } from "./health/status.ts";
import { type Orders, withoutFile } from "./keepalived/orders.ts";
import type { FileScrape } from "./metrics/scrape.ts";
import * as replies from "./replies.ts";
import { applyOrder, explainQuery, markRule, markRules, operations, planOrder, serviceKey } from "./schema.ts";
import type { InstanceStatus } from "./vrrp/status.ts";

/** The control socket's routes: one table for the server and for openapi.json. */

/** What the routes ask. */
export interface ApiHost {
  readonly director: Director & Marks;
  status(): Status;
  /** What would become of a packet; changes nothing. */
  explain(query: ExplainQuery): Explanation;
  /** What the processes of a configuration file say; nothing without a file. */
  readonly file?: FileStatus;
  /** Metrics in Prometheus' text format, in pieces. */
  metrics?(): Promise<Iterable<string>>;
}

export interface FileStatus {
  vrrp(): Promise<readonly InstanceStatus[]>;
  checks(): Promise<readonly ServiceStatus[]>;
  /** Undefined: lvsd was started without a file. */
  orders(): Orders | undefined;
  bfd(): Promise<readonly SessionStatus[]>;
  /** For metrics; undefined: without a file. */
  scrape?(): Promise<FileScrape | undefined>;
  /** A dump in keepalived's format. @param clear the counters of VRRP begin at zero after this */
  dump(name: DumpName, clear: boolean): Promise<string>;
}

/** How an answer is written: as one value, as an array, or as NDJSON; the latter two in pieces. */
export type Answer =
  | { readonly value: unknown }
  | { readonly array: Iterable<unknown> }
  | { readonly lines: Iterable<unknown> }
  /** Plain text. */
  | { readonly text: string }
  /** Of Prometheus' format, in pieces. */
  | { readonly metrics: Iterable<string> };

export interface Route {
  readonly method: "GET" | "POST" | "PUT";
  readonly path: string;
  readonly summary: string;
  /** `body`: JSON in the body; `key`: an optional query parameter that holds JSON. */
  readonly takes?: { readonly from: "body" | "key"; readonly name: string; readonly schema: z.ZodType };
  /** `schema` is that of one item where the answer is an array or lines. */
  readonly gives: { readonly as: "value" | "array" | "lines" | "text"; readonly name: string; readonly schema: z.ZodType };
  /** `input` has been checked; undefined where the route takes none, or a key was not given. */
  answer(host: ApiHost, input: unknown): Answer | Promise<Answer>;
}

type Given = Omit<Route, "takes" | "answer">;

const plain = (about: Given, answer: (host: ApiHost) => Answer | Promise<Answer>): Route => ({ ...about, answer });

/** A route whose body is its input. */
const taking = <Input>(
  about: Given,
  name: string,
  schema: z.ZodType<Input>,
  answer: (host: ApiHost, input: Input) => Answer | Promise<Answer>,
) => ({ ...about, takes: { from: "body", name, schema }, answer }) as Route;

/** A route that can be asked for all, or with a key for one. */
const keyed = <Key>(about: Given, name: string, schema: z.ZodType<Key>, answer: (host: ApiHost, key?: Key) => Answer) =>
  ({ ...about, takes: { from: "key", name, schema }, answer }) as Route;

const value = (name: string, schema: z.ZodType) => ({ as: "value", name, schema }) as const;
const array = (name: string, schema: z.ZodType) => ({ as: "array", name, schema }) as const;
const text = (name: string) => ({ as: "text", name, schema: z.string() }) as const;
const lines = (name: string, schema: z.ZodType) => ({ as: "lines", name, schema }) as const;

/** What is asked of the configuration file, and what is told where there is none. */
const ordering = (word: "plan" | "reload" | "apply" | "confirm" | "revert", summary: string) => ({
  ...({ method: "POST", path: `/v1/${word}`, summary } as const),
  gives: word === "plan" ? value("Plan", replies.plan) : value("Outcome", replies.outcome),
});
const ordersOf = ({ file }: ApiHost): Orders => file?.orders() ?? withoutFile;
const DUMPS: Readonly<Record<DumpName, string>> = {
  data: "keepalived.data",
  stats: "keepalived.stats",
  json: "keepalived.json",
  checks: "keepalived_check.data",
  bfd: "keepalived_bfd.data",
  parent: "keepalived_parent.data",
};

async function dumpOf({ file }: ApiHost, name: DumpName, clear: boolean): Promise<Answer> {
  if (file === undefined) throw new Fault("dump", "ENOENT", "no configuration file is in use");
  return { text: await file.dump(name, clear) };
}

export const routes: readonly Route[] = [
  plain(
    { method: "GET", path: "/v1/info", summary: "IPVS version and conn table size", gives: value("Info", replies.info) },
    ({ director }) => ({ value: director.info() }),
  ),
  keyed(
    { method: "GET", path: "/v1/services", summary: "Services and their dests", gives: array("Service", replies.service) },
    "ServiceKey",
    serviceKey,
    ({ director }, key) => ({ array: key === undefined ? director.services() : present(director.service(key)) }),
  ),
  plain(
    { method: "GET", path: "/v1/conns", summary: "Conns and persistence templates", gives: lines("Conn", replies.conn) },
    ({ director }) => ({ lines: director.conns() }),
  ),
  plain(
    { method: "GET", path: "/v1/timeouts", summary: "Timeouts in seconds", gives: value("Timeouts", replies.timeouts) },
    ({ director }) => ({ value: director.timeouts() }),
  ),
  plain(
    { method: "GET", path: "/v1/settings", summary: "Settings by name", gives: value("Settings", replies.settings) },
    ({ director }) => ({ value: director.settings() }),
  ),
  plain(
    { method: "GET", path: "/v1/daemons", summary: "Synchronisation daemons", gives: array("SyncDaemon", replies.daemon) },
    ({ director }) => ({ array: director.syncDaemons() }),
  ),
  taking(
    {
      method: "POST",
      path: "/v1/operations",
      summary: "Carries out all operations, or none and says why",
      gives: value("Refusals", replies.refusals),
    },
    "Operations",
    operations,
    ({ director }, input) => ({ value: { refusals: director.apply(input.operations) } }),
  ),
  plain(
    { method: "GET", path: "/v1/status", summary: "The daemon and its data path", gives: value("Status", replies.status) },
    (host) => ({ value: host.status() }),
  ),
  plain(
    { method: "GET", path: "/v1/rates", summary: "Rates per second", gives: array("ServiceRates", replies.serviceRates) },
    ({ director }) => ({ array: director.services().map(ratesOf) }),
  ),
  plain(
    { method: "GET", path: "/v1/vrrp", summary: "VRRP instances", gives: array("VrrpInstance", replies.vrrpInstance) },
    async ({ file }) => ({ array: (await file?.vrrp()) ?? [] }),
  ),
  plain(
    {
      ...{ method: "GET", path: "/v1/checks", summary: "Services with the checks of their servers" },
      gives: array("CheckedService", replies.checkedService),
    },
    async ({ file }) => ({ array: (await file?.checks()) ?? [] }),
  ),
  taking(ordering("plan", "What a file would change"), "PlanOrder", planOrder, async (host, { file }) => ({
    value: await ordersOf(host).plan(file),
  })),
  taking(ordering("apply", "Carries out a file"), "ApplyOrder", applyOrder, async (host, { file, confirmSeconds }) => ({
    value: await ordersOf(host).apply(file, confirmSeconds),
  })),
  plain(ordering("reload", "Reads lvsd's own file again"), async (host) => ({ value: await ordersOf(host).reload() })),
  plain(ordering("confirm", "An apply that waits stays"), async (host) => ({ value: await ordersOf(host).confirm() })),
  plain(ordering("revert", "An apply that waits is taken back"), async (host) => ({ value: await ordersOf(host).revert() })),
  plain(
    { method: "GET", path: "/v1/bfd", summary: "BFD sessions", gives: array("BfdSession", replies.bfdSession) },
    async ({ file }) => ({ array: (await file?.bfd()) ?? [] }),
  ),
  plain(
    { method: "GET", path: "/metrics", summary: "Metrics in Prometheus' text format 0.0.4", gives: text("Metrics") },
    async (host) => ({ metrics: (await host.metrics?.()) ?? [] }),
  ),
  ...dumpNames.map((name) =>
    plain({ method: "GET", path: `/v1/dump/${name}`, summary: DUMPS[name], gives: text("Dump") }, (host) =>
      dumpOf(host, name, false),
    ),
  ),
  plain(
    {
      ...{ method: "POST", path: "/v1/dump/stats-clear", gives: text("Dump") },
      summary: "keepalived.stats as it was; from now on VRRP counts from zero",
    },
    (host) => dumpOf(host, "stats", true),
  ),
  taking(
    {
      method: "POST",
      path: "/v1/explain",
      summary: "What would become of a packet",
      gives: value("Explanation", replies.explanation),
    },
    "ExplainQuery",
    explainQuery,
    (host, query) => ({ value: host.explain(query) }),
  ),
  plain(
    { method: "GET", path: "/v1/marks", summary: "Mark rules, the first that fits counts", gives: array("MarkRule", markRule) },
    ({ director }) => ({ array: director.marks() }),
  ),
  taking(
    {
      method: "PUT",
      path: "/v1/marks",
      summary: "These mark rules instead of all before, or none and why not",
      gives: value("Refusals", replies.refusals),
    },
    "MarkRules",
    markRules,
    ({ director }, { rules }) => ({ value: { refusals: director.setMarks(rules) } }),
  ),
];

const present = (service: Service | undefined): readonly Service[] => (service === undefined ? [] : [service]);

const ratesOf = ({ key, rates, dests }: Service): ServiceRates => ({ key, rates, dests: dests.map(destRatesOf) });

const destRatesOf = ({ addr, port, weight, activeConns, inactiveConns, rates }: Dest): DestRates => ({
  ...{ addr, port, weight, activeConns, inactiveConns, rates },
});

/** The description of all routes but itself, as OpenAPI 3.1. */
export function openapi(version: string): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  const schemas: Record<string, unknown> = { Failure: z.toJSONSchema(replies.failure) };
  for (const route of routes) {
    const { takes, gives } = route;
    schemas[gives.name] = z.toJSONSchema(gives.schema, { io: "output" });
    if (takes !== undefined) schemas[takes.name] = z.toJSONSchema(takes.schema, { io: "input" });
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: describe(route) };
  }
  return { openapi: "3.1.0", info: { title: "lvsd control socket", version }, paths, components: { schemas } };
}

const TYPES = {
  ...{ value: "application/json", array: "application/json", lines: "application/x-ndjson" },
  text: "text/plain",
} as const;
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });

function describe({ summary, takes, gives }: Route): unknown {
  const item = ref(gives.name);
  const whole = gives.as === "array" ? { type: "array", items: item } : item;
  const content = { [TYPES[gives.as]]: { schema: whole } };
  return {
    summary,
    ...(takes?.from === "body" && {
      requestBody: { required: true, content: { "application/json": { schema: ref(takes.name) } } },
    }),
    ...(takes?.from === "key" && {
      parameters: [{ name: "key", in: "query", content: { "application/json": { schema: ref(takes.name) } } }],
    }),
    responses: {
      200: { description: gives.name, content },
      default: { description: "Refused", content: { "application/json": { schema: ref("Failure") } } },
    },
  };
}
