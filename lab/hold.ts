import pc from "picocolors";
import { explain } from "../src/fault.ts";
import { startLab } from "./lab.ts";
import { demo } from "./topologies/demo.ts";
import { dr } from "./topologies/dr.ts";
import { fullnat } from "./topologies/fullnat.ts";
import { nat } from "./topologies/nat.ts";
import { tun } from "./topologies/tun.ts";
import type { Topology } from "./topology.ts";

/** Brings a topology up and keeps it until Ctrl-C, for looking around in. Usage: hold [nat|dr|tun|fullnat|demo] */

const topologies: Readonly<Record<string, Topology>> = { nat, dr, tun, fullnat, demo };

async function hold(name: string): Promise<void> {
  const wanted = topologies[name];
  if (wanted === undefined) throw new RangeError(`no topology ${name}; there are ${Object.keys(topologies).join(", ")}`);
  const lab = await startLab(wanted);
  console.log(wanted.picture);
  for (const host of Object.values(lab.hosts)) console.log(`${host.name.padEnd(10)} ${pc.bold(host.enter)}`);
  console.log(pc.dim("\nCtrl-C takes it down."));
  setInterval(() => {}, 1 << 30);
}

hold(process.argv[2] ?? "demo").catch((error: unknown) => {
  console.error(explain(error));
  process.exitCode = 1;
});
