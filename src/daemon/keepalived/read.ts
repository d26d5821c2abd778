import { hostname } from "node:os";
import type { BfdConfig } from "../../bfd/config.ts";
import { isFatal, testExitCode } from "../../config/consequence.ts";
import type { KeepalivedConfig } from "../../config/keywords.ts";
import { adviceOn } from "../../config/lint.ts";
import { type ParseOptions, type ParseResult, parseConfig } from "../../config/parse.ts";
import { Rereader } from "../../config/reread.ts";
import { settled } from "../../config/settled.ts";
import { explainProblem } from "../../config/source.ts";
import type { Timeouts } from "../../director/director.ts";
import type { Log } from "../../director/engine.ts";
import type { HealthConfig } from "../../health/config.ts";
import type { Script, VrrpConfig } from "../../vrrp/config.ts";
import { fromConfig as bfdFrom } from "../bfd/from-config.ts";
import { scriptOf } from "../health/checks.ts";
import { fromConfig as healthFrom, type Memory } from "../health/from-config.ts";
import { type MailPlan, mailPlan } from "../mail/config.ts";
import { fromConfig as vrrpFrom } from "../vrrp/from-config.ts";
import { judgeFile } from "../vrrp/security.ts";
import { undoneOptions } from "../vrrp/undone.ts";
import { factsWithScripts, machineFacts } from "./facts.ts";
import { diskFiles } from "./files.ts";
import { type ParentWords, parentWords } from "./parent-words.ts";
import { undoneWords } from "./undone.ts";

/** A keepalived.conf on this machine: judged, or read for the processes that carry it out. */

/** What the file asks of each process. */
export interface Wanted {
  /** The file itself, for dumps. */
  readonly config: KeepalivedConfig;
  readonly vrrp: VrrpConfig;
  readonly hasVrrp: boolean;
  readonly health: HealthConfig;
  readonly bfd: BfdConfig;
  readonly mail: MailPlan;
  /** FIFOs that are told of virtual and real servers. `isShared`: the VRRP process makes it and starts its reader. */
  readonly fifos: readonly { readonly path: string; readonly reader: Script | undefined; readonly isShared: boolean }[];
  /** Empty the table at start. */
  readonly flush: boolean;
  /** At stop: empty the table, or delete services with all that is in them instead of one dest after another. */
  readonly flushOnStop: "all" | "VS" | undefined;
  /** Of idle connections; absent: as they are. */
  readonly timeouts?: Partial<Timeouts>;
  readonly parent: ParentWords;
}

/** `errors`: what is wrong and left out, one text each; `notes`: what else there is to say. */
export interface Readable {
  readonly wanted: Wanted;
  readonly errors: readonly string[];
  readonly notes: readonly string[];
}

export type Reading =
  | Readable
  /** One text per problem. `isMissing`: there is no such file. */
  | { readonly problems: readonly string[]; readonly isMissing: boolean };

/** How a file is read. */
export interface ReadHow {
  /** Any error refuses the file, and not only those that keepalived does not run with. */
  readonly strict?: boolean;
  /** What lines with `@ID` are compared with; absent: the name of this host up to its first dot. */
  readonly configId?: string;
  /** Carry out only what is for one of the processes. */
  readonly only?: "vrrp" | "check";
  /** No BFD sessions are run; who tracks one finds it down. */
  readonly noBfd?: boolean;
}

/** `lvs_timeouts`; what it leaves out, and 0, stays as it is. */
export function timeoutsOf({ globalDefs }: KeepalivedConfig): Pick<Wanted, "timeouts"> {
  const { tcp = 0, tcpfin = 0, udp = 0 } = globalDefs?.lvsTimeouts ?? {};
  return tcp + tcpfin + udp === 0 ? {} : { timeouts: { tcp, tcpFin: tcpfin, udp } };
}

const NO_FILE = 6;

/** What keepalived starts with, this starts with: a finding is told and left out (spec 2.6). */
export const readConfig = (path: string, how: ReadHow = {}): Reading => openReader(how)(path);

/** readConfig for a file that is read again and again: virtual servers that are the same come as the same values, and soon. */
export function openReader(how: ReadHow = {}): (path: string) => Reading {
  const rereader = new Rereader((lines) => undoneWords({ lines }).length === 0);
  const memory: Memory = new WeakMap();
  return (path) => read(path, how, rereader, memory);
}

function read(
  path: string,
  { strict = false, configId, only, noBfd = false }: ReadHow,
  rereader: Rereader,
  memory: Memory,
): Reading {
  if (diskFiles.read(path) === undefined) return { problems: [missing(path)], isMissing: true };
  const result = rereader.parse(
    path,
    diskFiles,
    optionsOf({ facts: machineFacts(), ...(configId === undefined ? {} : { configId }) }),
  );
  const isRefused = isFatal(result.problems) || (strict && result.verdict === "refuse");
  if (isRefused) return { problems: result.problems.map(explainProblem), isMissing: false };
  const config = partOf(settled(result.config), only);
  const { health, notes } = healthFrom(config, memory);
  const vrrp = vrrpFrom(config);
  const bfd = bfdFrom(noBfd ? { ...config, bfdInstance: [] } : config);
  const hasVrrp = vrrp.instances.length + Object.values(vrrp.statics).flat().length > 0;
  const told = (severity: "error" | "warning"): string[] =>
    result.problems.filter((problem) => problem.severity === severity).map(explainProblem);
  return {
    wanted: {
      ...{ config, vrrp, hasVrrp, health, bfd, mail: mailPlan(config) },
      fifos: fifosOf(config, hasVrrp),
      flush: config.globalDefs?.lvsFlush ?? false,
      flushOnStop: config.globalDefs?.lvsFlushOnStop,
      ...timeoutsOf(config),
      parent: parentWords(config),
    },
    errors: told("error"),
    notes: [...told("warning"), ...notes, ...undoneWords(result), ...undoneOptions(config)],
  };
}

/** The network namespace that a file names: only there it can be judged. */
export const namespaceIn = (path: string, { configId }: ReadHow = {}): string | undefined =>
  parse(path, configId === undefined ? {} : { configId }).config.netNamespace;

function partOf(config: KeepalivedConfig, only: ReadHow["only"]): KeepalivedConfig {
  if (only === "vrrp") return { ...config, virtualServer: [] };
  const nothing = { vrrpInstance: [], vrrpSyncGroup: [], staticIpaddress: [], staticRoutes: [], staticRules: [] };
  return only === "check" ? { ...config, ...nothing } : config;
}

/** Loudly what is left out, and the rest as warnings. */
export function tellFindings({ errors, notes }: Readable, path: string, log: Log): void {
  for (const problem of errors) log.error("configuration", { problem });
  if (errors.length > 0) log.warn("left out", { file: path, errors: errors.length, reason: "what is wrong has no effect" });
  for (const note of notes) log.warn("configuration", { note });
}

/** The checkers' own FIFO, and the one for everything; the latter belongs to the VRRP process where there is one. */
function fifosOf({ globalDefs: g }: KeepalivedConfig, hasVrrp: boolean): Wanted["fifos"] {
  const isSecure = g?.enableScriptSecurity ?? false;
  const reader = (s: Parameters<typeof scriptOf>[1]): Script | undefined => {
    const script = scriptOf(g, s);
    const verdict = script === undefined ? "missing" : judgeFile(script);
    return verdict === "ok" || (verdict === "unsafe" && !isSecure) ? script : undefined;
  };
  const { notifyFifo, lvsNotifyFifo } = g ?? {};
  return [
    ...(notifyFifo === undefined ? [] : [{ path: notifyFifo, reader: reader(g?.notifyFifoScript), isShared: hasVrrp }]),
    ...(lvsNotifyFifo === undefined ? [] : [{ path: lvsNotifyFifo, reader: reader(g?.lvsNotifyFifoScript), isShared: false }]),
  ];
}

/** What `-t` prints, and its exit code as keepalived's (spec 1.6); 6 for no file, where 2.2.7 says 0. */
export function testConfig(path: string, { configId }: ReadHow = {}): { readonly print: string; readonly exit: number } {
  if (diskFiles.read(path) === undefined) return { print: `${missing(path)}\n`, exit: NO_FILE };
  const result = parse(path, { facts: factsWithScripts(), ...(configId === undefined ? {} : { configId }) });
  const { notes } = healthFrom(result.config);
  const told = [...result.problems, ...adviceOn(result)].map(explainProblem);
  const lines = [...told, ...notes.map((note) => `${path}: warning: ${note}`)];
  lines.push(...[...undoneWords(result), ...undoneOptions(result.config)].map((note) => note.replace(": ", ": warning: ")));
  return { print: lines.map((line) => `${line}\n`).join(""), exit: testExitCode(result.problems) };
}

const missing = (path: string): string => `${path}: error: the file is not there or cannot be read`;

const parse = (path: string, options: ParseOptions): ParseResult => parseConfig(path, diskFiles, optionsOf(options));

const optionsOf = (options: ParseOptions): ParseOptions => ({
  configId: hostname().split(".")[0]!,
  ...options,
  random: (min, max) => min + Math.floor(Math.random() * (max - min + 1)),
});
