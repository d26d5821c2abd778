import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type { EngineOptions } from "../director/engine.ts";
import { VERSION } from "../version.ts";
import { type Address, parseAddress } from "./metrics/address.ts";
import { SIGNALS } from "./signals.ts";

/** lvsd's command line. */

export interface LvsdOptions extends Omit<EngineOptions, "log"> {
  /** On a stop, programs and maps stay, and forwarding goes on. */
  readonly leave: boolean;
  readonly log: "text" | "json";
  /** A keepalived.conf to carry out. */
  readonly file?: string;
  /** Any error in it refuses it. */
  readonly strict: boolean;
  /** What its lines with `@ID` are compared with. */
  readonly configId?: string;
  /** Only one of its processes. */
  readonly only?: "vrrp" | "check";
  /** No BFD sessions are run; who tracks one finds it down. */
  readonly noBfd?: true;
  /** false: when a process dies all ends. */
  readonly respawn: boolean;
  /** VIPs stay on a stop. */
  readonly leaveVips: boolean;
  /** Where metrics are served over TCP; nowhere if absent. */
  readonly metrics?: Address;
}

/** What to do with a command line: run, judge a file and end, or print something and end. */
export type CommandLine =
  | { readonly run: LvsdOptions }
  | { readonly test: string; readonly configId?: string }
  | { readonly print: string; readonly to: "stdout" | "stderr"; readonly exit: number };

const CONNS = 1_048_576;
const CONNS_MAX = 1 << 26;

interface Parsed extends Omit<LvsdOptions, "interfaces" | "connTableSize" | "only"> {
  readonly interface: readonly string[];
  readonly conns: number;
  readonly configTest: boolean;
  readonly signum?: string;
  readonly vrrp: boolean;
  readonly check: boolean;
}

/** keepalived's own place. */
const DEFAULT_FILE = "/etc/keepalived/keepalived.conf";

/** @param argv without node and the script */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  let printed = "";
  const collect = (text: string) => {
    printed += text;
  };
  const program = command().exitOverride().configureOutput({ writeOut: collect, writeErr: collect });
  try {
    program.parse([...argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? { print: printed, to: "stdout", exit: 0 } : usage(printed);
  }
  const { configTest, signum, interface: interfaces, conns, vrrp, check, ...rest } = program.opts<Parsed>();
  if (signum !== undefined) return signalNumber(signum);
  const idle =
    rest.engine === "kernel" ? dataPathOptions.find((name) => program.getOptionValueSource(name) === "cli") : undefined;
  if (idle !== undefined) return usage(`lvsd: --engine kernel: ${flagOf(idle)} is for lvsd's own data path, --engine xdp\n`);
  const { configId } = rest;
  if (configTest) return { test: rest.file ?? DEFAULT_FILE, ...(configId === undefined ? {} : { configId }) };
  const only = vrrp === check ? {} : { only: vrrp ? ("vrrp" as const) : ("check" as const) };
  return { run: { ...rest, ...only, interfaces: [...new Set(interfaces)], connTableSize: conns } };
}

/** Options of the XDP engine, which the kernel's IPVS would not heed. */
const dataPathOptions = ["interface", "hook", "xdpMode", "conns"] as const;
const flagOf = (name: (typeof dataPathOptions)[number]): string => (name === "xdpMode" ? "--xdp-mode" : `--${name}`);

const usage = (print: string): CommandLine => ({ print, to: "stderr", exit: 2 });

/** Signals by what they ask for, as keepalived's --signum has them (spec 1.3). */
function signalNumber(name: string): CommandLine {
  const number = Object.hasOwn(SIGNALS, name) ? SIGNALS[name as keyof typeof SIGNALS] : undefined;
  if (number === undefined) return { print: `Unknown sigfunc ${name}\n`, to: "stderr", exit: 1 };
  return { print: `${number}\n`, to: "stdout", exit: 0 };
}

function command(): Command {
  return new Command("lvsd")
    .description("Linux Virtual Server for this network namespace. Stays in the foreground and logs to standard error.")
    .option("-f, --file <file>", "a keepalived.conf to carry out; SIGHUP reads it again")
    .option("--metrics <address:port>", "serve metrics for Prometheus there, at /metrics", metricsAddress)
    .option("--signum <name>", `print the number of a signal and end: ${Object.keys(SIGNALS).join(", ")}`)
    .option("--strict", "refuse a file with any error; else what keepalived starts with is started, errors left out", false)
    .option("-i, --config-id <id>", "what the file's lines with @ID are compared with (the host's name up to its first dot)")
    .option("-P, --vrrp", "of the file, only what is for VRRP", false)
    .option("-C, --check", "of the file, only virtual servers and their checks", false)
    .option("-R, --no-respawn", "end when one of the file's processes dies")
    .option("-V, --leave-vips", "leave virtual addresses when stopped", false)
    .option("-t, --config-test", `only judge the file (${DEFAULT_FILE}) and end`, false)
    .addOption(choice("--engine <engine>", "lvsd's own data path, or the kernel's ip_vs", ["xdp", "kernel"]))
    .option(
      "--interface <if>",
      "serve packets that arrive here; may be repeated",
      (name, before: string[]) => [...before, name],
      [],
    )
    .addOption(choice("--hook <hook>", "where packets are taken", ["auto", "xdp", "tc"]))
    .addOption(choice("--xdp-mode <mode>", "in the driver, or in the stack", ["auto", "native", "generic"]))
    .option("--conns <n>", "the greatest number of connections", connCount, CONNS)
    .option("--leave", "keep forwarding when stopped", false)
    .addOption(choice("--log <form>", "lines for people or for programs", ["text", "json"]))
    .version(`lvsd ${VERSION}`, "--version")
    .helpOption("--help")
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "lvsd: ")) })
    .allowExcessArguments(false)
    .addHelpText("after", AFTER);
}

const choice = (flags: string, about: string, words: readonly [string, ...string[]]): Option =>
  new Option(flags, about).choices(words).default(words[0]);

function metricsAddress(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new InvalidArgumentError("ADDRESS:PORT, [IPV6]:PORT or :PORT.");
  return address;
}

function connCount(text: string): number {
  const n = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (n < 1 || n > CONNS_MAX) throw new InvalidArgumentError(`1 to ${CONNS_MAX}.`);
  return n;
}

const AFTER = `
Its control socket is $LVSD_SOCKET, or /run/lvsd/<inode of the network namespace>.sock.
SIGTERM and SIGINT stop it and its forwarding, with --leave only it; the kernel's IPVS keeps its table and goes on.
Exit codes: 0 stopped, 1 refused, 2 usage, 69 the kernel lacks something, 70 a defect (forwarding stays),
77 not permitted, 78 errors in the file that keepalived would not start with either, or pinned maps of another layout.
With -t as keepalived: 0 in order, 2 a value is missing, 4 a spare interface is, 5 other findings, 6 scripts without script
security, or no file.`;
