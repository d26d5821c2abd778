import { hostname } from "node:os";
import { expect, test } from "vitest";
import { parseText } from "../../config/parse.ts";
import { mailPlan, vrrpMail } from "./config.ts";

const plan = (globals: string, more = "") =>
  mailPlan(
    parseText(
      `global_defs {\n${globals}\n}\nvrrp_instance A {\n interface eth0\n virtual_router_id 5\n virtual_ipaddress {\n 10.0.0.1/24\n }\n ${more}\n}\n`,
    ).config,
  );
const TO = "notification_email {\n a@example.com\n b@example.com\n}\nsmtp_server 192.0.2.25 2525";

test("without a mail server or somebody to write to there is no mail", () => {
  expect(plan("smtp_server 192.0.2.25").config).toBeUndefined();
  expect(plan("notification_email {\n a@example.com\n}").config).toBeUndefined();
});

test("the names of this machine stand where nothing else is said", () => {
  expect(plan(TO).config).toEqual({
    server: { host: "192.0.2.25", port: 2525 },
    ...{
      to: ["a@example.com", "b@example.com"],
      from: `keepalived@${hostname()}`,
      helo: hostname(),
      routerId: hostname(),
      timeout: 30_000,
    },
  });
  const said = plan(`${TO}\nnotification_email_from k@x\nsmtp_helo_name h\nrouter_id R1\nsmtp_connect_timeout 5`).config;
  expect(said).toMatchObject({ from: "k@x", helo: "h", routerId: "R1", timeout: 5000 });
});

test("VRRP is told of where smtp_alert says so, in keepalived's words", () => {
  const told = (globals: string, more: string, word: "MASTER" | "FAULT" | "STOP" | "MASTER_PRIORITY") =>
    vrrpMail(plan(globals, more).vrrp, { type: "INSTANCE", name: "A", word, priority: 100 });
  expect(told("", "", "MASTER")).toBeUndefined();
  expect(told("smtp_alert", "smtp_alert off", "MASTER")).toBeUndefined();
  expect(told("smtp_alert_vrrp off\nsmtp_alert", "", "MASTER")).toBeUndefined();
  expect(told("smtp_alert", "", "MASTER")).toEqual({
    ...{ subject: "VRRP Instance A - Entering MASTER state", body: "=> VRRP Instance is now owning VRRP VIPs <=" },
  });
  expect(told("", "smtp_alert", "FAULT")?.body).toBe("=> VRRP Instance is no longer owning VRRP VIPs <=");
  expect(told("no_email_faults", "smtp_alert", "FAULT")).toBeUndefined();
  expect(told("", "smtp_alert", "STOP")?.subject).toBe("VRRP Instance A - Stopping");
  expect(told("", "smtp_alert", "MASTER_PRIORITY")).toBeUndefined();
  const group = { instances: [], groups: ["G"], faults: true };
  expect(vrrpMail(group, { type: "GROUP", name: "G", word: "BACKUP", priority: 0 })).toEqual({
    ...{ subject: "VRRP Group G - Entering BACKUP state", body: "=> All VRRP group instances are now in BACKUP state <=" },
  });
});
