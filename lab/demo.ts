import { spawn } from "node:child_process";
import { explain } from "../src/fault.ts";
import { startCrossed, startServers } from "./crossed.ts";
import { coloursFor } from "./demo/colours.ts";
import type { BenchRow, MethodFinding } from "./demo/findings.ts";
import { loseDirector } from "./demo/pair.ts";
import { Progress } from "./demo/progress.ts";
import { report } from "./demo/report.ts";
import { commandsOf, stages } from "./demo/stages.ts";
import { killAndAdopt } from "./demo/survival.ts";
import { check, tryMethod } from "./demo/traffic.ts";
import { startLab } from "./lab.ts";
import { ipvsadm, runScript, startLvsd, startRealServer } from "./lvsd.ts";
import { ROOT } from "./needs.ts";
import { makeBigFile, startNginx } from "./nginx.ts";
import { demo, VIPS } from "./topologies/demo.ts";
import { pair } from "./topologies/pair.ts";
import { withOffloads } from "./topology.ts";

/**
 * `make demo`: a director, six servers and a client on this machine, the four methods with real traffic; a pair of directors of
 * which one dies; and a report.
 * The lab goes when this ends, also by Ctrl-C; exit code 1 and the step's name when something is not as it should be.
 */

const DOWNLOAD = 50_000_000; // bytes, by each method
const LONG_DOWNLOAD = 600_000_000; // bytes, under which lvsd is killed

const out = process.stdout;
const colours = coloursFor(out);
const { bold, dim, cyan } = colours;
const progress = new Progress(out, colours);

async function main(): Promise<void> {
  progress.line(`\n  ${bold("lvsd")}  ${dim("one director, four methods, real traffic")}\n`);
  const lab = await progress.step("lab", async () => {
    const made = await startLab(withOffloads(demo));
    const count = [Object.keys(demo.hosts).length, Object.keys(demo.segments).length];
    return [made, `${count[0]} machines on ${count[1]} networks, in network namespaces`];
  });
  try {
    const { hosts } = lab;
    const { client, director, near1, near2, far1, far2, nat1, nat2 } = hosts;

    await progress.step("web servers", async () => {
      const plain = [near1, near2].map((host) => startNginx(lab, host, ["0.0.0.0:80"]));
      const rewritten = [nat1, nat2].map((host) => startNginx(lab, host, ["0.0.0.0:8080"]));
      const both = [far1, far2].map((host) => startNginx(lab, host, ["0.0.0.0:80", "0.0.0.0:8080"]));
      await Promise.all([...plain, ...rewritten, ...both]);
      await Promise.all([far1, far2].map((host) => startRealServer(host, [VIPS.tunnel], "tunnel")));
      return [undefined, "6 nginx; far1 and far2 take tunnel headers off"];
    });

    const [lvsd, hook] = await progress.step("lvsd", async () => {
      const started = await startLvsd(director);
      const found = /hook=(\S+) mode=(\S+)/.exec(started.running.stderr);
      const where = found === null || found[1] === found[2] ? (found?.[1] ?? "") : `${found[1]} ${found[2]}`;
      return [[started, where], `pid ${started.running.pid}, on ${director.interfaces.join(" and ")}, by ${where}`];
    });

    const [short, long] = [DOWNLOAD, LONG_DOWNLOAD].map((bytes) => ({ ...makeBigFile(lab, bytes), bytes })) as [BigFile, BigFile];
    const methods: MethodFinding[] = [];
    for (const stage of stages) {
      progress.line();
      const commands = commandsOf(stage, (name) => hosts[name as keyof typeof hosts].address());
      for (const command of commands) progress.line(`    ${dim("director#")} ${cyan(command)}`);
      const finding = await progress.step(stage.name, async (say) => {
        await runScript(director, commands.join("\n"));
        const found = await tryMethod(lab, stage, short, say);
        const { requestsPerSecond } = found.load;
        return [found, `${found.answers.length} curls shared as due, then ${Math.round(requestsPerSecond)} requests/s by wrk`];
      });
      methods.push(finding);
    }
    const [listing, statistics] = [await ipvsadm(director, "-Ln"), await ipvsadm(director, "-Ln --stats")];

    progress.line();
    const survival = await progress.step("kill -9", async (say) => {
      const found = await killAndAdopt({ client, director, lvsd, method: "NAT", vip: VIPS.nat, file: long }, say);
      return [found, `of lvsd during a download of ${LONG_DOWNLOAD / 1e6} MB: not a byte lost`];
    });
    const bench = await progress.step("bench", async (say) => {
      say("the data path alone, packet after packet");
      const rows = await measure();
      return [rows, `${rows.length} rows`];
    });
    const found = await progress.step("a pair", async (say) => {
      const second = await startLab(withOffloads(pair));
      try {
        say("three web servers, and lvsd -f keepalived.conf on two directors");
        await Promise.all([startServers(second), startCrossed(second, "d1"), startCrossed(second, "d2")]);
        const lost = await loseDirector(second, say);
        return [
          lost,
          `of directors by VRRP; one died, and the other answered after ${lost.moments[1]!.seen[0]!.gap.toFixed(0)} ms`,
        ];
      } finally {
        await second.close();
      }
    });
    await progress.step("clean up", async () => [await lab.close(), "nothing of it is left"]);

    const seconds = progress.seconds;
    const findings = { picture: demo.picture ?? "", hook, methods, listing: listing.stdout, statistics: statistics.stdout };
    progress.line(report({ ...findings, survival, pair: found, bench, seconds }, colours));
  } finally {
    await lab.close();
  }
}

interface BigFile {
  readonly path: string;
  readonly url: string;
  readonly bytes: number;
}

/** Nanoseconds a packet, by `make bench`'s quick rows. */
function measure(): Promise<readonly BenchRow[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [`${ROOT}build/bench.mjs`, "--quick", "--json"], { stdio: ["ignore", "pipe", "pipe"] });
    const end = () => child.kill();
    process.once("exit", end);
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", reject);
    child.on("close", (code) => {
      process.off("exit", end);
      try {
        check(code === 0, `exit ${code}: ${stderr.trim()}`);
        resolve((JSON.parse(stdout) as { rows: BenchRow[] }).rows);
      } catch (error) {
        reject(error);
      }
    });
  });
}

for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => progress.line("\n  interrupted; taking the lab down"));
main().catch((error: unknown) => {
  console.error(`\n  ${colours.red("The demo failed at")} ${explain(error)}`);
  process.exitCode = 1;
});
