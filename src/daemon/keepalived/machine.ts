import { chownSync, readdirSync, readFileSync, realpathSync, renameSync, statSync, writeFileSync } from "node:fs";
import { hostname, networkInterfaces } from "node:os";
import type { ConfigMachine } from "../../cli/lvsctl/config-machine.ts";
import type { LintFacts } from "../../config/lint.ts";
import { parseIp } from "../../net/ip.ts";
import { factsWithScripts } from "./facts.ts";
import { diskFiles } from "./files.ts";
import { undoneWords } from "./undone.ts";

/** This machine, for `lvsctl config`. */
export const thisMachine: ConfigMachine = {
  files: diskFiles,
  configId: () => hostname().split(".")[0]!,
  facts: factsWithScripts,
  lintFacts: () => ({ addresses: addressesHere(), sysctls: sysctlsHere() }),
  portOf: (name, protocol) => servicePorts().get(`${name} ${protocol}`),
  undone: undoneWords,
  write(path, text) {
    const target = realpathSync(path); // a link stays one
    const { mode, uid, gid } = statSync(target);
    const draft = `${target}.lvsctl-${process.pid}`;
    writeFileSync(draft, text, { mode: mode & 0o777, flag: "wx" });
    chownSync(draft, uid, gid);
    renameSync(draft, target);
  },
};

/** Of interfaces that are up; lo is one of them. */
function addressesHere(): NonNullable<LintFacts["addresses"]> {
  const entries = Object.entries(networkInterfaces()).map(([dev, list]) => {
    const nets = (list ?? []).flatMap(({ address, cidr }) => {
      const ip = parseIp(address);
      return ip === undefined || cidr === null ? [] : [{ ip, length: Number(cidr.slice(cidr.indexOf("/") + 1)) }];
    });
    return [dev, nets] as const;
  });
  return Object.fromEntries(entries);
}

const CONF = "/proc/sys/net/ipv4/conf";
const NAMES = ["rp_filter", "arp_ignore", "arp_announce"];

function sysctlsHere(): Record<string, string> {
  const out: Record<string, string> = {};
  for (const dev of listOf(CONF))
    for (const name of NAMES) out[`net.ipv4.conf.${dev}.${name}`] = textOf(`${CONF}/${dev}/${name}`).trim();
  return out;
}

let ports: ReadonlyMap<string, number> | undefined;

/** "http tcp" → 80, aliases too (services(5)). */
function servicePorts(): ReadonlyMap<string, number> {
  ports ??= new Map(
    textOf("/etc/services")
      .split("\n")
      .flatMap((line) => {
        const [name, port, ...aliases] = line.replace(/#.*/, "").trim().split(/\s+/);
        const [, digits, protocol] = /^(\d+)\/(\w+)$/.exec(port ?? "") ?? [];
        return digits === undefined ? [] : [name, ...aliases].map((one) => [`${one} ${protocol}`, Number(digits)] as const);
      }),
  );
  return ports;
}

function listOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
