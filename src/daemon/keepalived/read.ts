import { hostname } from "node:os";
import { NO_SCRIPT_SECURITY } from "../../config/checks/scripts.ts";
import type { KeepalivedConfig } from "../../config/keywords.ts";
import { lintConfig } from "../../config/lint.ts";
import { type ParseOptions, type ParseResult, parseConfig } from "../../config/parse.ts";
import { explainProblem } from "../../config/source.ts";
import type { HealthConfig } from "../../health/config.ts";
import type { Script, VrrpConfig } from "../../vrrp/config.ts";
import { scriptOf } from "../health/checks.ts";
import { fromConfig as healthFrom } from "../health/from-config.ts";
import { fromConfig as vrrpFrom } from "../vrrp/from-config.ts";
import { judgeFile } from "../vrrp/security.ts";
import { factsWithScripts, machineFacts } from "./facts.ts";
import { diskFiles } from "./files.ts";
import { undoneWords } from "./undone.ts";

/** A keepalived.conf on this machine: judged, or read for the processes that carry it out. */

/** What the file asks of each process. */
export interface Wanted {
  readonly vrrp: VrrpConfig;
  readonly hasVrrp: boolean;
  readonly health: HealthConfig;
  /** FIFOs that are told of virtual and real servers. `isShared`: the VRRP process makes it and starts its reader. */
  readonly fifos: readonly { readonly path: string; readonly reader: Script | undefined; readonly isShared: boolean }[];
  /** Empty the table at start. */
  readonly flush: boolean;
}

export type Reading =
  | { readonly wanted: Wanted; readonly notes: readonly string[] }
  /** One text per problem. */
  | { readonly problems: readonly string[] };

const NO_FILE = 6;
const FINDINGS = 5;
const INSECURE = 6;

/** Any error refuses the file as a whole; warnings are notes. */
export function readConfig(path: string): Reading {
  if (diskFiles.read(path) === undefined) return { problems: [missing(path)] };
  const result = parse(path, { facts: machineFacts() });
  if (result.verdict === "refuse") return { problems: result.problems.map(explainProblem) };
  const { health, notes } = healthFrom(result.config);
  const vrrp = vrrpFrom(result.config);
  const hasVrrp = vrrp.instances.length + Object.values(vrrp.statics).flat().length > 0;
  return {
    wanted: {
      ...{ vrrp, hasVrrp, health },
      fifos: fifosOf(result.config, hasVrrp),
      flush: result.config.globalDefs?.lvsFlush ?? false,
    },
    notes: [...result.problems.map(explainProblem), ...notes, ...undoneWords(result)],
  };
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

/** What `-t` prints, and its exit code as keepalived's (spec 1.6): 0 in order, 5 findings, 6 unsafe scripts or no file. */
export function testConfig(path: string): { readonly print: string; readonly exit: number } {
  if (diskFiles.read(path) === undefined) return { print: `${missing(path)}\n`, exit: NO_FILE };
  const result = parse(path, { facts: factsWithScripts() });
  const { notes } = healthFrom(result.config);
  const told = [...result.problems, ...lintConfig(result)].map(explainProblem);
  const lines = [...told, ...notes.map((note) => `${path}: warning: ${note}`)];
  lines.push(...undoneWords(result).map((note) => note.replace(": ", ": warning: ")));
  return { print: lines.map((line) => `${line}\n`).join(""), exit: exitOf(result) };
}

function exitOf({ verdict, problems }: ParseResult): number {
  if (verdict === "accept") return 0;
  return problems.some((problem) => problem.message === NO_SCRIPT_SECURITY) ? INSECURE : FINDINGS;
}

const missing = (path: string): string => `${path}: error: the file is not there or cannot be read`;

const parse = (path: string, options: ParseOptions): ParseResult =>
  parseConfig(path, diskFiles, {
    ...options,
    configId: hostname().split(".")[0]!,
    random: (min, max) => min + Math.floor(Math.random() * (max - min + 1)),
  });
