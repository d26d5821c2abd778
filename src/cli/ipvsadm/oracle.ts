import { spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Outcome, Step } from "./transcript.ts";

/**
 * The original: Debian's ipvsadm on a real kernel with IPVS, which the package user-mode-linux runs as an ordinary process
 * with the host's files as its own.
 */

const KERNEL = "/usr/bin/linux.uml";
const MODULES = "/usr/lib/uml/modules";
/** ms; a command takes 10 to 50 there. */
const BOOT_AND_RUN = 380_000;
const modules = [
  "",
  "_rr",
  "_wrr",
  "_lc",
  "_wlc",
  "_lblc",
  "_lblcr",
  "_dh",
  "_sh",
  "_sed",
  "_nq",
  "_fo",
  "_ovf",
  "_mh",
  "_pe_sip",
];

/** Why the original cannot be asked here, or undefined. */
export function missingOracle(): string | undefined {
  const needed = [KERNEL, MODULES, "/usr/sbin/ipvsadm", "/usr/sbin/modprobe"].filter((path) => !existsSync(path));
  if (process.getuid?.() !== 0) return "needs root, to read the host's files as those of the guest";
  return needed.length === 0 ? undefined : `needs ${needed.join(", ")}`;
}

/** Rules that undo whatever a session did. */
export const freshState = "--stop-daemon master\n--stop-daemon backup\n--set 900 120 300\n-C\n";

export interface Session {
  readonly steps: readonly Step[];
  /** The rules it starts from. */
  readonly rules: string;
  /** Each step starts from the rules; those that failed have changed nothing. */
  readonly alone: boolean;
}

/**
 * Runs sessions one after the other in one guest.
 * @param overlays files to lie over others while the guest runs: hosts, services
 */
export async function askOracle(
  sessions: readonly Session[],
  overlays: Readonly<Record<string, string>> = {},
): Promise<Outcome[][]> {
  const folder = mkdtempSync(join(tmpdir(), `lvsd-oracle-${process.pid}-`));
  try {
    prepare(folder, sessions, overlays);
    await boot(folder);
    return sessions.map(({ steps }, s) => steps.map((_, i) => readOutcome(folder, `${s}.${i}`)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function prepare(folder: string, sessions: readonly Session[], overlays: Readonly<Record<string, string>>): void {
  for (const name of ["lib/modules", "in", "out", "tmp"]) mkdirSync(join(folder, name), { recursive: true });
  for (const version of readdirSync(MODULES)) symlinkSync(join(MODULES, version), join(folder, "lib/modules", version));
  const lines = sessions.flatMap(({ steps, rules, alone }, s) => {
    writeFileSync(join(folder, "in", `${s}`), freshState + rules);
    return [`rules=in/${s}; fresh`, ...steps.flatMap((step, i) => stepLines(folder, `${s}.${i}`, step, alone))];
  });
  writeFileSync(join(folder, "init"), initScript(folder, overlays, lines));
  chmodSync(join(folder, "init"), 0o755);
}

function stepLines(folder: string, name: string, { words, stdin }: Step, alone: boolean): string[] {
  if (stdin !== "") writeFileSync(join(folder, "in", name), stdin);
  const run = `${words.map(shellWord).join(" ")} <${stdin === "" ? "/dev/null" : `in/${name}`} >out/${name}.1 2>out/${name}.2`;
  return [`${run}; ended ${name}`, ...(alone ? ["[ $last != 0 ] || fresh"] : [])];
}

const shellWord = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

const initScript = (folder: string, overlays: Readonly<Record<string, string>>, lines: readonly string[]): string => `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /run
mount -t tmpfs tmp /mnt
mkdir /mnt/w
mount -t hostfs -o ${folder} none /mnt/w
for module in ${modules.map((name) => `ip_vs${name}`).join(" ")}; do modprobe -d ${folder} $module; done
ip link set lo up
: >/run/empty
mount --bind /run/empty /etc/resolv.conf
${Object.entries(overlays)
  .map(([over, path]) => `mount --bind ${path} ${over}`)
  .join("\n")}
cd /mnt/w
fresh() { ipvsadm -R <$rules >/dev/null 2>&1; }
ended() { last=$?; echo $last >out/$1.0; }
${lines.join("\n")}
sync
echo o >/proc/sysrq-trigger
sleep 5
`;

/** Until the guest has switched itself off; its last words on failure. */
async function boot(folder: string): Promise<void> {
  const args = [
    "mem=256M",
    "rootfstype=hostfs",
    "rootflags=/",
    "ro",
    "con=null",
    "con0=fd:0,fd:1",
    "quiet",
    `init=${folder}/init`,
  ];
  const guest = spawn(KERNEL, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, TMPDIR: join(folder, "tmp") } });
  let said = "";
  for (const stream of [guest.stdout, guest.stderr]) stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const late = setTimeout(() => guest.kill("SIGKILL"), BOOT_AND_RUN);
  await new Promise<void>((resolve, reject) => {
    guest.on("exit", () => resolve());
    guest.on("error", reject);
  });
  clearTimeout(late);
  if (!/Power down/.test(said)) throw new Error(`the guest did not end by itself: ${said.slice(-2000)}`);
}

function readOutcome(folder: string, name: string): Outcome {
  const read = (stream: 0 | 1 | 2) => readFileSync(join(folder, "out", `${name}.${stream}`), "utf8");
  return { stdout: read(1), stderr: read(2), exit: Number(read(0)) };
}
