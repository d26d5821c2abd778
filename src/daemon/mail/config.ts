import { hostname } from "node:os";
import type { KeepalivedConfig } from "../../config/keywords.ts";
import type { Mail } from "../../health/mail.ts";
import type { Event } from "../../vrrp/notify.ts";

/** Who gets mail and of what (spec 2.8, 4.10). */

export interface MailConfig {
  readonly server: { readonly host: string; readonly port: number };
  readonly helo: string;
  readonly from: string;
  readonly to: readonly string[];
  /** Of each step, ms. */
  readonly timeout: number;
  /** Stands in front of subjects. */
  readonly routerId: string;
}

/** Undefined: without a server and somebody to write to no mail is sent. */
function mailConfig({ globalDefs: g }: KeepalivedConfig): MailConfig | undefined {
  const to = (g?.notificationEmail ?? []).flatMap(({ value }) => value);
  if (g?.smtpServer === undefined || to.length === 0) return undefined;
  return {
    server: g.smtpServer,
    helo: g.smtpHeloName || hostname(),
    from: g.notificationEmailFrom ?? `keepalived@${hostname()}`,
    to,
    timeout: g.smtpConnectTimeout * 1000,
    routerId: g.routerId ?? hostname(),
  };
}

/** What a configuration says of mail. */
export interface MailPlan {
  readonly config: MailConfig | undefined;
  readonly vrrp: VrrpAlerts;
}

export const mailPlan = (config: KeepalivedConfig): MailPlan => ({ config: mailConfig(config), vrrp: vrrpAlerts(config) });

/** Of which changes of VRRP mails tell. */
export interface VrrpAlerts {
  readonly instances: readonly string[];
  readonly groups: readonly string[];
  readonly faults: boolean;
}

function vrrpAlerts({ globalDefs: g, vrrpInstance, vrrpSyncGroup }: KeepalivedConfig): VrrpAlerts {
  const usual = g?.smtpAlertVrrp ?? g?.smtpAlert ?? false;
  const names = (list: readonly { readonly header: string; readonly smtpAlert: boolean | undefined }[]): string[] =>
    list.filter(({ smtpAlert }) => smtpAlert ?? usual).map(({ header }) => header);
  return { instances: names(vrrpInstance), groups: names(vrrpSyncGroup), faults: !(g?.noEmailFaults ?? false) };
}

const GROUP: Partial<Record<Event["word"], string>> = {
  MASTER: "All VRRP group instances are now in MASTER state",
  BACKUP: "All VRRP group instances are now in BACKUP state",
  FAULT: "All VRRP group instances are now in FAULT state",
  STOP: "All VRRP group instances are now stopping",
};
const INSTANCE: Partial<Record<Event["word"], string>> = {
  MASTER: "VRRP Instance is now owning VRRP VIPs",
  BACKUP: "VRRP Instance is no longer owning VRRP VIPs",
  FAULT: "VRRP Instance is no longer owning VRRP VIPs",
  STOP: "VRRP Instance stopping",
  DELETED: "VRRP Deleted at reload",
};
const SUBJECT: Partial<Record<Event["word"], string>> = { STOP: "Stopping", DELETED: "Deleted" };

/** Undefined: nobody is told. */
export function vrrpMail(alerts: VrrpAlerts, { type, name, word }: Event): Mail | undefined {
  const isWanted = (type === "GROUP" ? alerts.groups : alerts.instances).includes(name);
  const body = (type === "GROUP" ? GROUP : INSTANCE)[word];
  if (!isWanted || body === undefined || (word === "FAULT" && !alerts.faults)) return undefined;
  const what = type === "GROUP" ? "VRRP Group" : "VRRP Instance";
  return { subject: `${what} ${name} - ${SUBJECT[word] ?? `Entering ${word} state`}`, body: `=> ${body} <=` };
}
