import { planBfd } from "../../bfd/plan.ts";
import { differences, items, seconds, type Tellers, text, untold, value } from "../../director/differences.ts";
import type { Change } from "../../director/plan.ts";
import { globalChange, type Live, planHealth } from "../../health/plan.ts";
import { planVrrp, type Seen } from "../../vrrp/plan.ts";
import type { MailConfig } from "../mail/config.ts";
import type { Wanted } from "./read.ts";

/** What another file would change about all that lvsd carries out. */
export const planOf = (before: Wanted, after: Wanted, live: Live, seen: readonly Seen[]): Change[] => [
  ...differences(before, after, globals).map(globalChange).map(atStart),
  ...planVrrp(before.vrrp, after.vrrp, seen),
  ...planBfd(before.bfd, after.bfd),
  ...planHealth(before.health, after.health, live),
];

const globals: Tellers<Wanted> = {
  ...{ vrrp: untold, hasVrrp: untold, health: untold, bfd: untold },
  config: untold, // where it matters it is in one of the others
  mail: (from, to) => [
    ...differences(from.config ?? NO_MAIL, to.config ?? NO_MAIL, mail),
    ...differences(from.vrrp, to.vrrp, { instances: alerted, groups: alerted }),
  ],
  fifos: items("lvs_notify_fifo", ({ path, reader }) => (reader === undefined ? path : `${path} ${text(reader)}`)),
  flush: value("lvs_flush"),
  flushOnStop: value("lvs_flush_on_stop"),
  timeouts: value("lvs_timeouts", text),
};

const NO_MAIL: Partial<MailConfig> = {};
const mail: Tellers<Partial<MailConfig>> = {
  server: value("smtp_server", ({ host, port }) => `${host} ${port}`),
  helo: value("smtp_helo_name"),
  from: value("notification_email_from"),
  to: value("notification_email", (names) => names.join(" ")),
  timeout: value<number | undefined>("smtp_connect_timeout", seconds),
  routerId: value("router_id"),
};
const alerted = items<string>("smtp_alert", String);

const atStart = (change: Change): Change =>
  change.name === "lvs_flush" ? { ...change, effects: ["it counts at the next start"] } : change;
