import { explain } from "../src/fault.ts";
import { startCrossed, startServers } from "./crossed.ts";
import { coloursFor } from "./demo/colours.ts";
import { commandsOf, stages } from "./demo/stages.ts";
import type { Host } from "./host.ts";
import { type Lab, startLab } from "./lab.ts";
import { startLvsd, startRealServer } from "./lvsd.ts";
import { type Machine, type Method, methods, prepareRealServers, serviceLines } from "./methods.ts";
import { ROOT } from "./needs.ts";
import { startNginx } from "./nginx.ts";
import { demo, VIPS } from "./topologies/demo.ts";
import { VIPS as PAIR_VIPS, pair } from "./topologies/pair.ts";
import { withOffloads } from "./topology.ts";

/**
 * Brings a lab up and keeps it until Ctrl-C, for looking around in: lvsd runs in the director, every server answers with its
 * name, and services are for the visitor to add; a pair of directors has its keepalived.conf, and is for the visitor to break.
 * Usage: hold [nat|dr|tun|fullnat|pair|demo]
 */

const { bold, dim, cyan } = coloursFor(process.stdout);

/** A lab that is up and served, and what to try. */
interface Held {
  readonly lab: Lab<string>;
  /** What runs where. */
  readonly about: string;
  readonly where: string;
  readonly lines: readonly string[];
}

async function holdDemo(): Promise<Held> {
  const lab = await startLab(demo);
  const { far1, far2 } = lab.hosts;
  await Promise.all([far1, far2].map((host) => startRealServer(host, [VIPS.tunnel], "tunnel")));
  const hosts: Readonly<Record<string, Host>> = lab.hosts;
  const about = await serve(lab, lab.hosts.director);
  return {
    lab,
    about,
    where: ON_DIRECTOR,
    lines: stages.flatMap((stage) => commandsOf(stage, (name) => hosts[name]!.address())),
  };
}

async function holdMethod(method: Method): Promise<Held> {
  const lab: Lab<Machine> = await startLab(method.topology);
  await prepareRealServers(lab, method);
  const about = await serve(lab, lab.hosts.director);
  return { lab, about, where: ON_DIRECTOR, lines: serviceLines(method, lab.hosts, "rr", [1, 1, 1]).slice(1) };
}

const ON_DIRECTOR = "on the director, then curl from the client";

const isServer = ({ name }: Host): boolean => !["client", "router", "director"].includes(name);

async function serve(lab: Lab<string>, director: Host): Promise<string> {
  const servers = Object.values(lab.hosts).filter(isServer);
  await Promise.all(servers.map((host) => startNginx(lab, host, ["0.0.0.0:80", "[::]:80", "0.0.0.0:8080", "[::]:8080"])));
  const lvsd = await startLvsd(director);
  return `lvsd (pid ${lvsd.running.pid}) runs in the director; nginx on ${servers.map((host) => host.name).join(", ")}.`;
}

async function holdPair(): Promise<Held> {
  const lab = await startLab(withOffloads(pair));
  const [first, second] = await Promise.all([startCrossed(lab, "d1"), startCrossed(lab, "d2"), startServers(lab)]);
  const pids = [first, second].map((lvsd) => lvsd.running.pid);
  const files = `${lab.directory}/{d1,d2}.conf`;
  return {
    lab,
    about: `lvsd -f runs in d1 (pid ${pids[0]}) and d2 (pid ${pids[1]}), with ${files}; nginx on rs1, rs2, rs3, sorry.`,
    where: "on d1 or d2",
    lines: [
      ["lvsctl vrrp", "who is master of what"],
      ["lvsctl checks", "the real servers and their checks"],
      ["ipvsadm -Ln", ""],
      [`kill -9 ${pids[0]}`, "lvsd of d1: d2 has both VIPs at once"],
      [`lvsd --interface front -f ${lab.directory}/d1.conf`, "on d1: it is back, and so is its VIP"],
      [`kill -HUP ${pids[1]}`, "after an edit of d2.conf"],
      [`ip -n ${switchOf(lab)} link set dev d1 down`, "its cable is pulled; up: plugged in"],
      [`ip -n ${switchOf(lab)} link set dev rs1 down`, "a server vanishes; of all three: the sorry server"],
      [`while sleep 0.1; do curl -m 1 ${PAIR_VIPS[0]}; done`, "on the client, meanwhile"],
    ].map(([command, what]) => `${command!.padEnd(56)} ${what === "" ? "" : dim(what!)}`),
  };
}

const switchOf = (lab: Lab<string>): string => lab.hosts.client!.netns.replace(/client$/, "switch-front");

function start(name: string): Promise<Held> {
  if (name === "demo") return holdDemo();
  if (name === "pair") return holdPair();
  const method = (methods as Readonly<Record<string, Method>>)[name];
  if (method !== undefined) return holdMethod(method);
  throw new RangeError(`no topology ${name}; there are ${[...Object.keys(methods), "pair", "demo"].join(", ")}`);
}

async function hold(name: string): Promise<void> {
  const { lab, about, where, lines } = await start(name);
  console.log(lab.topology.picture);
  console.log(`  ${about}`);
  console.log("\n  To enter a host:\n");
  for (const host of Object.values(lab.hosts)) console.log(`  ${host.name.padEnd(10)} ${bold(host.enter)}`);
  console.log(`\n  To try, ${where} (${dim(`PATH=${ROOT}bin:$PATH`)}):\n`);
  for (const line of lines) console.log(`  ${cyan(line)}`);
  console.log(dim("\n  Ctrl-C takes it down."));
  setInterval(() => {}, 1 << 30);
}

hold(process.argv[2] ?? "demo").catch((error: unknown) => {
  console.error(explain(error));
  process.exit(1);
});
