import type { KeepalivedConfig, RealServer, VirtualServer } from "../../config/keywords.ts";
import type { DestSpec } from "../../director/director.ts";
import type { HealthConfig, Server, Service, Sorry } from "../../health/config.ts";
import { familyOf } from "../../net/ip.ts";
import { tuningOf } from "../tuner.ts";
import { checksFor, scriptOf } from "./checks.ts";
import { destOf, poolOf, portOf, protocolOf, serviceFamily, specsOf } from "./services.ts";

/** What a keepalived.conf says about virtual servers and their checks (spec 2.15 to 2.18), with every default filled in. */

/** What virtual servers have become before. Only for a configuration in which all the rest is the same. */
export type Memory = WeakMap<VirtualServer, Service>;

/** `notes`: what is left out, in words. */
export function fromConfig(
  config: KeepalivedConfig,
  memory: Memory = new WeakMap(),
): { readonly health: HealthConfig; readonly notes: readonly string[] } {
  const notes: string[] = [];
  const note = (text: string): void => void notes.push(text);
  const services = config.virtualServer.flatMap((vs) => memory.get(vs) ?? remembered(config, vs, memory, note) ?? []);
  const firsts = new Map<string, Service>();
  for (const service of services) {
    if (firsts.has(service.name)) note(`virtual server ${service.name} is there twice - the first one counts`);
    else firsts.set(service.name, service);
  }
  const { key, certificate: cert, ca, password: passphrase } = config.ssl ?? {};
  const g = config.globalDefs;
  const tls = Object.fromEntries(Object.entries({ key, cert, ca, passphrase }).filter(([, value]) => value !== undefined));
  return {
    health: {
      services: [...firsts.values()],
      tls,
      initNotifies: g?.rsInitNotifies ?? false,
      scriptSecurity: g?.enableScriptSecurity ?? false,
      tuning: tuningOf(g, "checker"),
    },
    notes,
  };
}

/** What there is something to say about is made anew each time. */
function remembered(
  config: KeepalivedConfig,
  vs: VirtualServer,
  memory: Memory,
  note: (text: string) => void,
): Service | undefined {
  let isSilent = true;
  const service = serviceOf(config, vs, (text) => {
    isSilent = false;
    note(text);
  });
  if (service !== undefined && isSilent) memory.set(vs, service);
  return service;
}

function serviceOf(config: KeepalivedConfig, vs: VirtualServer, note: (text: string) => void): Service | undefined {
  const name = nameOf(vs);
  const specs = specsOf(config, vs);
  const servers = serversOf(config, vs, note);
  if (specs.length === 0) note(`virtual server ${name} is left out: it has no address and no mark`);
  if (servers.length === 0) note(`virtual server ${name} is left out: it has no real server`);
  if (specs.length === 0 || servers.length === 0) return undefined;
  const total = servers.reduce((sum, server) => sum + server.dest.weight, 0);
  const quorum = Math.max(1, Math.min(vs.quorum, total));
  const g = config.globalDefs;
  const pool = poolOf(config, vs);
  const addresses = specs.flatMap(({ key }) => (key.fwmark === undefined ? [key.addr] : []));
  return {
    ...{ name, specs, servers, quorum, omega: vs.omega },
    hysteresis: Math.min(vs.hysteresis, quorum - 1),
    quorumUp: scriptOf(g, vs.quorumUp),
    quorumDown: scriptOf(g, vs.quorumDown),
    sorry: sorryOf(vs, servers),
    alert: vs.smtpAlert ?? g?.smtpAlertChecker ?? g?.smtpAlert ?? false,
    passive: vs.passiveCheck,
    ...(pool !== undefined && { localAddresses: pool }),
    suspendWithout: vs.haSuspend && addresses.length > 0 ? addresses : undefined,
  };
}

/** "[192.0.2.1]:tcp:80", "FWM 5" or "[GROUP]:0" (spec 4.1). */
export function nameOf(vs: VirtualServer): string {
  if (vs.header.by === "fwmark") return `FWM ${vs.header.fwmark}`;
  return vs.header.by === "group" ? `[${vs.header.group}]:0` : `[${vs.header.ip}]:${protocolOf(vs)}:${vs.header.port}`;
}

/** Of servers that are there twice the first stays; those of another family are for tunnels only. */
function serversOf(config: KeepalivedConfig, vs: VirtualServer, note: (text: string) => void): Server[] {
  const seen = new Set<string>();
  return vs.realServer.flatMap((rs) => {
    const server = serverOf(config, vs, rs, note);
    const id = `${server.dest.addr} ${server.dest.port}`;
    const family = serviceFamily(vs);
    const isStranger = server.dest.method !== "tunnel" && family !== undefined && familyOf(server.dest.addr) !== family;
    if (isStranger) note(`real server ${server.name} is left out: it is not of the service's family`);
    else if (seen.has(id)) note(`real server ${server.name} is duplicated - removing second rs`);
    else {
      seen.add(id);
      return [server];
    }
    return [];
  });
}

function serverOf(config: KeepalivedConfig, vs: VirtualServer, rs: RealServer, note: (text: string) => void): Server {
  const g = config.globalDefs;
  const plain = destOf(vs, rs.header, rs.lvsMethod ?? vs.lbKind, rs.weight ?? vs.weight);
  const dest: DestSpec = { ...plain, upper: rs.uthreshold, lower: rs.lthreshold };
  return {
    name: serverName(vs, rs.header),
    dest,
    inhibit: rs.inhibitOnFailure ?? vs.inhibitOnFailure,
    slowStart: Math.round((rs.slowStart ?? vs.slowStart) * 1000),
    alerts: !(rs.smtpAlert ?? g?.smtpAlertChecker ?? g?.smtpAlert ?? true) ? "none" : g?.noCheckerEmails ? "changes" : "checks",
    notifyUp: scriptOf(g, rs.notifyUp),
    notifyDown: scriptOf(g, rs.notifyDown),
    checks: checksFor({ config, vs, rs, dest, note }),
  };
}

export const serverName = (vs: VirtualServer, { ip, port }: RealServer["header"]): string =>
  `[${ip}]:${vs.header.by === "fwmark" ? "none" : protocolOf(vs)}:${port || portOf(vs)}`;

/** A sorry server that is a real server too goes the way that one does. */
function sorryOf(vs: VirtualServer, servers: readonly Server[]): Sorry | undefined {
  if (vs.sorryServer === undefined) return undefined;
  const dest = destOf(vs, vs.sorryServer, vs.sorryServerLvsMethod ?? vs.lbKind, 1);
  const twin = servers.find((server) => server.dest.addr === dest.addr && server.dest.port === dest.port);
  return { name: serverName(vs, vs.sorryServer), dest, inhibit: twin?.inhibit ?? vs.sorryServerInhibit };
}
