import { parseText } from "../../../config/parse.ts";
import { settled } from "../../../config/settled.ts";
import { fromConfig as bfdFrom } from "../../bfd/from-config.ts";
import { fromConfig as healthFrom } from "../../health/from-config.ts";
import { fromConfig as vrrpFrom } from "../../vrrp/from-config.ts";
import { statusOf } from "../../vrrp/status.ts";
import { nothingTracked } from "../../vrrp/trackers.ts";
import { newUnit, type Unit } from "../../vrrp/unit.ts";
import type { Facts } from "../facts.ts";

/** What dumps draw on, without a machine. @param change what has become of an instance */
export function factsOf(conf: string, change: (unit: Unit) => void = () => {}): Facts {
  const config = settled(parseText(conf).config);
  const vrrp = vrrpFrom(config);
  const units = vrrp.instances.map(newUnit);
  for (const unit of units) change(unit);
  return {
    ...{ config, vrrp, health: healthFrom(config).health, services: [], now: 1_800_000_000_000 },
    ...{ bfd: bfdFrom(config), sessions: [] },
    status: { instances: units.map((unit) => statusOf(unit, 0)), groups: {}, trackers: nothingTracked },
    machine: {
      ...{ hostName: "vm", user: "root", links: [], addresses: [] },
      resolve: (program) => program.replace(/^\/bin\//, "/usr/bin/"),
      identity: () => ({ uid: 0, gid: 0 }),
    },
  };
}
