import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from "vitest";
import { instanceText, startDebianVrrp } from "./keepalived.ts";
import { startLab } from "./lab.ts";
import { diagnose } from "./lvsd.ts";
import { missing } from "./needs.ts";
import { cable, holds, type Pair, startDirector } from "./pair.ts";
import type { Running } from "./running.ts";
import { pair, VIPS } from "./topologies/pair.ts";
import { until } from "./until.ts";

/** Mails about VRRP: ours and those of Debian's keepalived, as a mail server beside each receives them. */

const reason = missing("bin/lvsd");
const RECORDER = new URL("../src/daemon/health/testing/recorder.mjs", import.meta.url).pathname;
const SIDES = ["d1", "d2"] as const;

describe.skipIf(reason !== undefined)(`mails about VRRP (${reason ?? "here"})`, () => {
  let lab: Pair;
  let servers: Running[];
  const records = (name: string): string => join(lab.directory, `${name}.mails`);

  /** Each alone with its own VRID and address; the second instance does not want mail. */
  const fileOf = (name: "d1" | "d2"): string => {
    const [one, two] = name === "d1" ? [51, 52] : [61, 62];
    const vip = VIPS[name === "d1" ? 0 : 1];
    return `global_defs {
  router_id R1
  vrrp_version 3
  notification_email {
    a@example.com
    b@example.com
  }
  notification_email_from k@example.com
  smtp_server 127.0.0.1 2525
  smtp_helo_name me.example
  smtp_alert_vrrp
}
vrrp_sync_group G {
  group {
    VI_1
    VI_2
  }
}
${instanceText({ name: "VI_1", vrid: one, priority: 100, vip })}
${instanceText({ name: "VI_2", vrid: two, priority: 100, vip: `${vip.slice(0, -1)}9` }).replace("  interface", "  smtp_alert off\n  interface")}`;
  };

  beforeAll(async () => {
    lab = await startLab(pair);
    servers = SIDES.map((name) => lab.hosts[name].spawn([process.execPath, RECORDER, "-", "-", records(name), "60000"]));
    await until("mail servers", () => SIDES.every((name) => existsSync(`${records(name)}.ready`)));
  });
  afterAll(() => lab?.close());

  /** Subject and all else but the date, sorted: mails of one moment may come in any order. */
  const mails = (name: string): string[] => {
    const { 2525: all = [] } = JSON.parse(readFileSync(records(name), "utf8")) as Record<string, string[]>;
    const whole = all.filter((text) => text.includes("\n.\n") && !text.includes("Stopping") && !text.includes("stopping"));
    return whole.map((text) => text.replace(/\nDate: .*/, "").replace(/\n?QUIT$/, "")).sort();
  };

  test("are the same as Debian's, byte for byte but for the date, through MASTER, FAULT and back", async () => {
    const { d1, d2 } = lab.hosts;
    onTestFailed(async () => console.error(await diagnose(d1)));
    const ours = await startDirector(lab, d1, fileOf("d1"));
    const theirs = startDebianVrrp(lab, d2, fileOf("d2"));
    const both = (is: boolean) =>
      until(is ? "masters" : "no masters", async () => (await holds(d1, VIPS[0])) === is && (await holds(d2, VIPS[1])) === is);
    await both(true);
    await Promise.all([cable(d1, "out"), cable(d2, "out")]);
    await both(false);
    await Promise.all([cable(d1, "in"), cable(d2, "in")]);
    await both(true);
    await until(
      "the mails",
      () => theirs.stdout.split("successfully sent").length + theirs.stderr.split("successfully sent").length - 2 >= 10,
    );
    await Promise.all([ours.stop(), theirs.stop()]);
    await Promise.all(servers.map((server) => server.stop()));
    expect(mails("d2").length).toBeGreaterThanOrEqual(10);
    expect(mails("d1")).toEqual(mails("d2"));
  });
});
