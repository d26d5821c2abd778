import { expect, test } from "vitest";
import type { Operation } from "../director.ts";
import { defaultSettings } from "../settings.ts";
import { refusal } from "./support.ts";

const set = (name: string, value: string): Operation => ({ op: "set-setting", name, value });

test("every setting may be written with its default", () => {
  for (const [name, value] of Object.entries(defaultSettings))
    expect([name, refusal(set(name, value))]).toEqual([name, undefined]);
});

test("settings that the data path honours take any value, the others say why not", () => {
  const honoured = [
    ...["amemthresh", "am_droprate", "drop_entry", "drop_packet", "secure_tcp", "cache_bypass", "expire_nodest_conn"],
    ...["sloppy_tcp", "sloppy_sctp", "expire_quiescent_template", "nat_icmp_send", "pmtu_disc", "conn_reuse_mode"],
    ...["run_estimation", "lblc_expiration", "lblcr_expiration", "schedule_icmp"],
  ];
  const other: Readonly<Record<string, string>> = {
    snat_reroute: "0",
    sync_threshold: "5 50",
    sync_version: "0",
    est_cpulist: "0",
  };
  const taken = Object.keys(defaultSettings).filter((name) => refusal(set(name, other[name] ?? "2")) === undefined);
  expect(taken.toSorted()).toEqual(honoured.toSorted());
  expect(refusal(set("conntrack", "1"))).toEqual({
    code: "EOPNOTSUPP",
    message:
      "lvsd's XDP data path cannot do this yet: setting conntrack: packets pass before netfilter's connection tracking sees them",
  });
});

test("a default in another spelling is a default", () => {
  expect(refusal(set("conntrack", " +0 "))).toBeUndefined();
  expect(refusal(set("sync_threshold", "3  50"))).toBeUndefined();
});
