import type { EngineName } from "../../director/engine.ts";
import { VERSION } from "../../version.ts";
import { SIGNALS } from "../signals.ts";

/** keepalived's command line (spec 1.2), read as getopt_long reads it, and lvsd's long options for the data path. */

/** The keepalived that this one is like. */
const LIKE = "2.2.7";

export interface KeepalivedOptions {
  readonly file: string;
  /** `-P`, `-C`: one of the two processes only. */
  readonly only?: "vrrp" | "check";
  /** `-B`: no BFD sessions are run. */
  readonly noBfd?: true;
  readonly configId?: string;
  /** `-n` is not given: go to the background. */
  readonly fork: boolean;
  readonly respawn: boolean;
  /** `-V` and `-I`. */
  readonly leaveVips: boolean;
  readonly leaveServices: boolean;
  /** `-D`, twice is more. */
  readonly detail: number;
  readonly log: { readonly syslog: boolean; readonly facility: number; readonly console: boolean; readonly file?: string };
  readonly umask?: number;
  readonly pids: { readonly parent?: string; readonly vrrp?: string; readonly checkers?: string; readonly bfd?: string };
  readonly namespace?: string;
  readonly strict: boolean;
  /** `-d` */
  readonly dump: boolean;
  /** Options that are accepted and without effect, one sentence each. */
  readonly notes: readonly string[];
  readonly engine: EngineName;
  /** undefined: those of the machine. */
  readonly interfaces?: readonly string[];
  readonly hook: "auto" | "xdp" | "tc";
}

export type KeepalivedLine =
  | { readonly run: KeepalivedOptions }
  | { readonly test: KeepalivedOptions; readonly logTo?: string }
  | { readonly print: string; readonly to: "stdout" | "stderr"; readonly exit: number };

const DAEMON = 3;
const USER = 1;
const LOCAL0 = 16;
const DEFAULT_FILE = "/etc/keepalived/keepalived.conf";

type Arity = "none" | "value" | "maybe";
type Row = readonly [short: string, long: string, arity: Arity, about: string];

/** Of 2.2.7 and later ones; what follows the empty line are lvsd's. */
const rows: readonly Row[] = [
  ["f", "use-file", "value", "The configuration file, /etc/keepalived/keepalived.conf"],
  ["P", "vrrp", "none", "Only run VRRP"],
  ["C", "check", "none", "Only run the health checkers"],
  ["B", "no_bfd", "none", "Do not run BFD"],
  ["", "all", "none", "Run all processes, also those with nothing to do"],
  ["l", "log-console", "none", "Log to standard error too"],
  ["D", "log-detail", "none", "Detailed log; twice: more"],
  ["S", "log-facility", "value", "Syslog facility: 0-7, local0-local7, user or daemon"],
  ["g", "log-file", "maybe", "Log to a file too, one for each process"],
  ["", "flush-log-file", "none", "Every line of the log file is written at once, as always"],
  ["G", "no-syslog", "none", "No syslog"],
  ["u", "umask", "value", "umask for files that are made"],
  ["X", "release-vips", "none", "Addresses are taken away on a signal, as always"],
  ["V", "dont-release-vrrp", "none", "Leave addresses and routes on a stop"],
  ["I", "dont-release-ipvs", "none", "Leave the services, and forwarding, on a stop"],
  ["R", "dont-respawn", "none", "End when a child process dies"],
  ["n", "dont-fork", "none", "Stay in the foreground"],
  ["d", "dump-conf", "none", "Tell the log what the file says"],
  ["p", "pid", "value", "Pid file of the parent"],
  ["r", "vrrp_pid", "value", "Pid file of the VRRP process"],
  ["c", "checkers_pid", "value", "Pid file of the checkers process"],
  ["b", "bfd_pid", "value", "Pid file of the BFD process"],
  ["a", "address-monitoring", "none", "Log changes of addresses"],
  ["x", "snmp", "none", "SNMP"],
  ["A", "snmp-agent-socket", "value", "SNMP master agent"],
  ["s", "namespace", "value", "Run in this network namespace"],
  ["m", "core-dump", "none", "Core dumps"],
  ["M", "core-dump-pattern", "maybe", "Core dumps of this name"],
  ["e", "all-config", "none", "A file that is included and missing is an error"],
  ["i", "config-id", "value", "What lines with @ID are compared with; the host's name up to its first dot"],
  ["", "signum", "value", `The number of a signal: ${Object.keys(SIGNALS).join(", ")}`],
  ["t", "config-test", "maybe", "Only judge the file, to standard error or a log file"],
  ["T", "genhash", "none", "genhash"],
  ["", "no-mem-check", "none", "Nothing"],
  ["", "perf", "maybe", "Nothing"],
  ["", "debug", "maybe", "Nothing"],
  ["v", "version", "none", "The version"],
  ["h", "help", "none", "This"],
  ["", "engine", "value", "lvsd: xdp, its own data path, or kernel, the kernel's ip_vs"],
  ["", "interface", "value", "lvsd: serve packets that arrive here; may be repeated; else on every interface that is up"],
  ["", "hook", "value", "lvsd: auto, xdp or tc"],
  ["", "strict", "none", "lvsd: refuse a file with any error"],
];

/** Accepted and without effect. */
const idle: Readonly<Record<string, string>> = {
  snmp: "there is no SNMP agent in lvsd",
  "snmp-agent-socket": "there is no SNMP agent in lvsd",
  "core-dump": "lvsd's processes leave no core",
  "core-dump-pattern": "lvsd's processes leave no core",
  "address-monitoring": "changes of addresses are not logged",
  "no-mem-check": "there is nothing to check",
  perf: "there is no perf record",
  debug: "there are no debug options",
  "all-config": "a file that is included and missing is told, and no error",
  all: "a process with nothing to do is not started",
};

interface Given {
  readonly name: string;
  readonly value: string | undefined;
}

/** @param argv without node and the script */
export function parseKeepalivedLine(argv: readonly string[]): KeepalivedLine {
  const read = getopt(argv);
  if ("wrong" in read) return { print: `${read.wrong}\n`, to: "stderr", exit: 1 };
  const { given, stray } = read;
  const last = (name: string): string | undefined => given.findLast((option) => option.name === name)?.value;
  const has = (name: string): boolean => given.some((option) => option.name === name);
  const first = given.find(({ name }) => name === "version" || name === "help" || name === "signum");
  if (first?.name === "version") return { print: versionText(), to: "stderr", exit: 0 };
  if (first?.name === "help") return { print: helpText(), to: "stderr", exit: 0 };
  if (first?.name === "signum") return signalNumber(first.value ?? "");
  if (has("genhash")) return { print: "keepalived: genhash is not part of lvsd\n", to: "stderr", exit: 1 };

  const notes = given.flatMap(({ name }) => (idle[name] === undefined ? [] : [`--${name} has no effect: ${idle[name]}`]));
  if (stray.length > 0) notes.push(`Unexpected argument(s): ${stray.join(" ")}`);
  const facility = facilityOf(last("log-facility"));
  if (facility === undefined) notes.push(`Invalid log facility '${last("log-facility")}'`);
  const engine = last("engine") ?? "xdp";
  const hook = last("hook") ?? "auto";
  if (engine !== "xdp" && engine !== "kernel") return usage(`--engine is xdp or kernel, not '${engine}'`);
  if (hook !== "auto" && hook !== "xdp" && hook !== "tc") return usage(`--hook is auto, xdp or tc, not '${hook}'`);
  const umask = has("umask") ? umaskOf(last("umask") ?? "") : undefined;
  if (has("umask") && umask === undefined) notes.push(`Invalid umask '${last("umask")}'`);
  const interfaces = given.flatMap(({ name, value }) => (name === "interface" && value !== undefined ? [value] : []));
  const logFile = has("log-file") ? (last("log-file") ?? "/tmp/keepalived.log") : undefined;
  const options: KeepalivedOptions = {
    file: last("use-file") ?? DEFAULT_FILE,
    ...optional("only", has("vrrp") === has("check") ? undefined : has("vrrp") ? ("vrrp" as const) : ("check" as const)),
    ...optional("noBfd", has("no_bfd") ? (true as const) : undefined),
    ...optional("configId", last("config-id")),
    fork: !has("dont-fork"),
    respawn: !has("dont-respawn"),
    leaveVips: has("dont-release-vrrp"),
    leaveServices: has("dont-release-ipvs"),
    detail: given.filter(({ name }) => name === "log-detail").length,
    log: {
      ...{ syslog: !has("no-syslog"), facility: facility ?? DAEMON, console: has("log-console") },
      ...optional("file", logFile),
    },
    ...optional("umask", umask),
    pids: {
      ...optional("parent", last("pid")),
      ...optional("vrrp", last("vrrp_pid")),
      ...optional("checkers", last("checkers_pid")),
      ...optional("bfd", last("bfd_pid")),
    },
    ...optional("namespace", last("namespace")),
    ...{ strict: has("strict"), dump: has("dump-conf"), notes: [...new Set(notes)], engine, hook },
    ...optional("interfaces", interfaces.length === 0 ? undefined : interfaces),
  };
  return has("config-test") ? { test: options, ...optional("logTo", last("config-test")) } : { run: options };
}

const optional = <K extends string, T>(name: K, value: T | undefined): { readonly [P in K]?: T } =>
  (value === undefined ? {} : { [name]: value }) as { readonly [P in K]?: T };

const usage = (print: string): KeepalivedLine => ({ print: `keepalived: ${print}\n`, to: "stderr", exit: 1 });

/** Options may stand after other words, short ones may be bundled, long ones cut short while they are unmistakable. */
function getopt(argv: readonly string[]): { given: Given[]; stray: string[] } | { wrong: string } {
  const given: Given[] = [];
  const stray: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at]!;
    if (word === "--") {
      stray.push(...argv.slice(at + 1));
      break;
    }
    if (word.startsWith("--")) {
      const cut = word.indexOf("=");
      const name = cut < 0 ? word.slice(2) : word.slice(2, cut);
      const row = longRow(name);
      if (row === undefined || (row[2] === "none" && cut >= 0)) return { wrong: `Unknown option ${word}` };
      let value = cut < 0 ? undefined : word.slice(cut + 1);
      if (row[2] === "value") {
        value ??= argv[++at];
        if (!value) return { wrong: `Missing parameter for option --${row[1]}` };
      }
      given.push({ name: row[1], value });
    } else if (word.length > 1 && word.startsWith("-")) {
      for (let i = 1; i < word.length; i++) {
        const row = rows.find(([short]) => short === word[i]);
        if (row === undefined) return { wrong: `Unknown option -${word[i]}` };
        if (row[2] === "none") {
          given.push({ name: row[1], value: undefined });
          continue;
        }
        let value = word.slice(i + 1) || undefined;
        if (row[2] === "value") {
          value ??= argv[++at];
          if (value === undefined) return { wrong: `Missing parameter for option -${word[i]}` };
        }
        given.push({ name: row[1], value });
        break;
      }
    } else stray.push(word);
  }
  return { given, stray };
}

function longRow(name: string): Row | undefined {
  const exact = rows.find(([, long]) => long === name);
  if (exact !== undefined || name === "") return exact;
  const near = rows.filter(([, long]) => long.startsWith(name));
  return near.length === 1 ? near[0] : undefined;
}

function facilityOf(word: string | undefined): number | undefined {
  if (word === undefined || word === "daemon") return DAEMON;
  if (word === "user") return USER;
  const digit = /^(?:local)?([0-7])$/.exec(word)?.[1];
  return digit === undefined ? undefined : LOCAL0 + Number(digit);
}

const BITS: Readonly<Record<string, number>> = {
  ...{ IRUSR: 0o400, IWUSR: 0o200, IXUSR: 0o100, IRGRP: 0o40, IWGRP: 0o20, IXGRP: 0o10, IROTH: 4, IWOTH: 2, IXOTH: 1 },
  ...{ IRWXU: 0o700, IRWXG: 0o70, IRWXO: 7 },
};

/** A number as in C, or bits: "IXUSR|IRWXG". */
export function umaskOf(text: string): number | undefined {
  if (/^[0-9]/.test(text)) {
    const n = /^0[0-7]*$/.test(text) ? Number.parseInt(text, 8) : Number(text);
    return n >= 0 && n <= 0o777 ? n : undefined;
  }
  const bits = text.split("|").map((word) => BITS[word.trim()]);
  return bits.reduce((sum, bit) => (sum === undefined || bit === undefined ? undefined : sum | bit), 0);
}

function signalNumber(name: string): KeepalivedLine {
  const number = Object.hasOwn(SIGNALS, name) ? SIGNALS[name as keyof typeof SIGNALS] : undefined;
  if (number === undefined) return { print: `Unknown sigfunc ${name}\n`, to: "stderr", exit: 1 };
  return { print: `${number}\n`, to: "stdout", exit: 0 };
}

/** Programs look for "Keepalived v" and a number. */
const versionText = (): string =>
  `Keepalived v${LIKE} (lvsd ${VERSION})\n\nlvsd in keepalived's place: same files, same words.\n`;

function helpText(): string {
  const line = ([short, long, arity, about]: Row): string => {
    const value = arity === "value" ? "=VALUE" : arity === "maybe" ? "[=VALUE]" : "";
    return `  ${short === "" ? "   " : `-${short},`} --${long}${value}`.padEnd(34) + about;
  };
  return `Usage: keepalived [OPTION...]\n${rows.map(line).join("\n")}\n`;
}
