import { explain } from "../src/fault.ts";
import { coloursFor } from "./demo/colours.ts";
import { commandsOf, stages } from "./demo/stages.ts";
import type { Host } from "./host.ts";
import { type Lab, startLab } from "./lab.ts";
import { startLvsd, startRealServer } from "./lvsd.ts";
import { type Machine, type Method, methods, prepareRealServers, serviceLines } from "./methods.ts";
import { ROOT } from "./needs.ts";
import { startNginx } from "./nginx.ts";
import { demo, VIPS } from "./topologies/demo.ts";

/**
 * Brings a lab up and keeps it until Ctrl-C, for looking around in: lvsd runs in the director, every server answers with its
 * name, and services are for the visitor to add. Usage: hold [nat|dr|tun|fullnat|demo]
 */

const { bold, dim, cyan } = coloursFor(process.stdout);

/** A lab that is up, and lines to try on its director. */
interface Held {
  readonly lab: Lab<string>;
  readonly lines: readonly string[];
}

async function holdDemo(): Promise<Held> {
  const lab = await startLab(demo);
  const { far1, far2 } = lab.hosts;
  await Promise.all([far1, far2].map((host) => startRealServer(host, [VIPS.tunnel], "tunnel")));
  const hosts: Readonly<Record<string, Host>> = lab.hosts;
  return { lab, lines: stages.flatMap((stage) => commandsOf(stage, (name) => hosts[name]!.address())) };
}

async function holdMethod(method: Method): Promise<Held> {
  const lab: Lab<Machine> = await startLab(method.topology);
  await prepareRealServers(lab, method);
  return { lab, lines: serviceLines(method, lab.hosts, "rr", [1, 1, 1]).slice(1) };
}

const isServer = ({ name }: Host): boolean => !["client", "router", "director"].includes(name);

async function hold(name: string): Promise<void> {
  const method = (methods as Readonly<Record<string, Method>>)[name];
  if (name !== "demo" && method === undefined) {
    throw new RangeError(`no topology ${name}; there are ${[...Object.keys(methods), "demo"].join(", ")}`);
  }
  const { lab, lines } = await (method === undefined ? holdDemo() : holdMethod(method));
  const hosts = Object.values(lab.hosts);
  const servers = hosts.filter(isServer);
  await Promise.all(servers.map((host) => startNginx(lab, host, ["0.0.0.0:80", "[::]:80", "0.0.0.0:8080", "[::]:8080"])));
  const lvsd = await startLvsd(lab.hosts.director!);

  console.log(lab.topology.picture);
  console.log(`  lvsd (pid ${lvsd.running.pid}) runs in the director; nginx on ${servers.map((host) => host.name).join(", ")}.`);
  console.log("\n  To enter a host:\n");
  for (const host of hosts) console.log(`  ${host.name.padEnd(10)} ${bold(host.enter)}`);
  console.log(`\n  To try, on the director (${dim(`PATH=${ROOT}bin:$PATH`)}), then curl from the client:\n`);
  for (const line of lines) console.log(`  ${cyan(line)}`);
  console.log(dim("\n  Ctrl-C takes it down."));
  setInterval(() => {}, 1 << 30);
}

hold(process.argv[2] ?? "demo").catch((error: unknown) => {
  console.error(explain(error));
  process.exit(1);
});
