import { differences, items, seconds, type Teller, type Tellers, untold, value, within } from "../director/differences.ts";
import type { FieldChange } from "../director/plan.ts";
import type { Check, Connection, Page, PagePattern, Probe } from "./config.ts";
import { isSameProbe } from "./same.ts";

/** What differs between the checks of a server in two configurations, in the words of the file. */

export interface CheckChanges {
  readonly fields: readonly FieldChange[];
  /** Types of those that begin with nothing known, and of those that end. */
  readonly begun: readonly string[];
  readonly ended: readonly string[];
}

export function checkChanges(before: readonly Check[], after: readonly Check[]): CheckChanges {
  const left = [...before];
  const take = (fits: (check: Check) => boolean): Check | undefined => {
    const at = left.findIndex(fits);
    return at < 0 ? undefined : left.splice(at, 1)[0];
  };
  const twins = after.map((check) => take((old) => isSameProbe(old.probe, check.probe)));
  const pairs = after.map((check, i) => ({ check, twin: twins[i], old: twins[i] ?? take((old) => old.type === check.type) }));
  const changed = pairs.flatMap(({ check, old }) =>
    old === undefined ? [{ field: "check", to: check.type }] : differences(old, check, checkTellers).map(under(check.type)),
  );
  return {
    fields: [...changed, ...left.map(({ type }) => ({ field: "check", from: type }))],
    begun: pairs.flatMap(({ check, twin }) => (twin === undefined ? [check.type] : [])),
    ended: left.map(({ type }) => type),
  };
}

const under =
  (type: string) =>
  (change: FieldChange): FieldChange => ({ ...change, field: `${type} ${change.field}` });

const connection: Tellers<Connection> = {
  ip: value("connect_ip"),
  port: value("connect_port"),
  timeout: value("connect_timeout", seconds),
  fromIp: value("bindto"),
  fromPort: value("bind_port"),
  interface: value("bind_if"),
};

const patternText = ({ source, flags, not }: PagePattern): string => `${not ? "not " : ""}/${source}/${flags}`;

function pageText({ path, host, statuses, digests, regex }: Page): string {
  const codes = statuses.map(([least, most]) => (least === most ? `${least}` : `${least}-${most}`)).join(",");
  const rest = [...digests, ...(regex === undefined ? [] : [patternText(regex)])];
  return [`${host}${path}`, codes, ...rest].join(" ");
}

type AnyProbe = { readonly [K in Probe extends infer P ? (P extends P ? keyof P : never) : never]: never };

/** Of every kind of probe: their fields share names only where they mean the same. */
const probe: Tellers<Record<keyof AnyProbe, never>> = {
  to: within(connection) as Teller<never>,
  version: value("http_protocol"),
  pages: items("url", pageText) as Teller<never>,
  sni: value("sni_name"),
  helo: value("helo_name"),
  query: value("type"),
  payload: value("payload"),
  reply: value("require_reply"),
  script: value("misc_path"),
  timeout: value("misc_timeout", seconds),
  dynamic: value("misc_dynamic"),
  path: value("file"),
  weight: untold,
  name: value("name"),
};

const checkTellers: Tellers<Check> = {
  delayBeforeRetry: value("delay_before_retry", seconds),
  delayLoop: value("delay_loop", seconds),
  warmup: value("warmup", seconds),
  flap: value("flap_limit", ({ limit, window, hold }) => `${limit} in ${seconds(window)} s, ${seconds(hold)} s`),
  logAllFailures: value("log_all_failures"),
  fastRecovery: value("fast_recovery"),
  pages: untold,
  probe: within(probe as Tellers<Probe>),
};
