import { startCapture } from "../capture.ts";
import type { Host } from "../host.ts";
import type { Lab } from "../lab.ts";
import { countEach, curlEach, download, load } from "../traffic.ts";
import { lines } from "../until.ts";
import type { MethodFinding, WayBack } from "./findings.ts";
import type { Say } from "./progress.ts";
import { type Stage, schedulerOf } from "./stages.ts";

/** What one method does with real traffic; throws when it is not what it ought to do. */

const CONNECTIONS = 24;
const LOAD_SECONDS = 3;

type DemoLab = Lab<string>;

const hostOf = (lab: DemoLab, name: string): Host => {
  const host = lab.hosts[name];
  if (host === undefined) throw new RangeError(`no machine ${name}`);
  return host;
};

export async function tryMethod(lab: DemoLab, stage: Stage, file: { url: string; bytes: number }, say: Say) {
  const client = hostOf(lab, "client");
  const web = `http://${stage.vip}`;
  const { host: first } = stage.dests.at(-1)!; // the newest dest is served first

  say("a first request");
  const tcpdump = stage.flag === "-i" ? await dumpOne(hostOf(lab, first)) : undefined;
  const source = (await client.run(`curl -sS --max-time 5 ${web}/echo`)).trim();
  check(source === stage.source, `the server saw ${source}, not ${stage.source}`);
  const captured = tcpdump === undefined ? [] : await tcpdump();

  say(`${CONNECTIONS} connections, one after the other, by curl`);
  const answers = await curlEach(client, `${web}/`, CONNECTIONS);
  checkShare(stage, answers);

  say(`keep-alive requests on 32 connections for ${LOAD_SECONDS} s, by wrk`);
  const loaded = await load(client, `${web}/fast`, LOAD_SECONDS);
  check(loaded.requests > 0 && loaded.errors === 0, `wrk: ${loaded.requests} requests, ${loaded.errors} errors`);

  say(`a download of ${file.bytes / 1e6} MB, to see which way it takes`);
  const wayBack = await followDownload(lab, stage, file);

  const { name } = stage;
  const servers = stage.dests.map((dest) => dest.host);
  return {
    name,
    scheduler: schedulerOf(stage),
    servers,
    answers,
    load: loaded,
    wayBack,
    source,
    captured,
  } satisfies MethodFinding;
}

/** One packet in a packet (protocol 4), in tcpdump's words. */
async function dumpOne(host: Host): Promise<() => Promise<readonly string[]>> {
  const tcpdump = host.spawn([
    "tcpdump",
    "-l",
    "-n",
    "-v",
    "-i",
    host.interfaces[0] ?? "any",
    "-Q",
    "in",
    "-c",
    "1",
    "ip proto 4",
  ]);
  await tcpdump.hear(/listening on/);
  return async () => {
    const timer = setTimeout(() => tcpdump.kill("SIGINT"), 5000);
    await tcpdump.ended;
    clearTimeout(timer);
    const said = lines(tcpdump.stdout).map((line) => line.trim());
    check(said.length > 0, "no packet of protocol 4 arrived at the server");
    return said;
  };
}

function checkShare(stage: Stage, answers: readonly string[]): void {
  const counts = countEach(answers);
  const total = stage.dests.reduce((sum, dest) => sum + dest.weight, 0);
  for (const { host, weight } of stage.dests) {
    const [got, due] = [counts.get(host) ?? 0, (CONNECTIONS * weight) / total];
    check(got === due, `${host} answered ${got} of ${CONNECTIONS} connections, not ${due}`);
  }
}

async function followDownload(lab: DemoLab, stage: Stage, file: { url: string; bytes: number }): Promise<WayBack> {
  const [client, director] = [hostOf(lab, "client"), hostOf(lab, "director")];
  const filter = `src host ${stage.vip} and tcp src port 80`;
  const capture = stage.returns ? undefined : await startCapture(lab, director, { interface: "front", filter, direction: "in" });
  const before = [await receivedBytes(client), await receivedBytes(director)] as const;
  const { bytes } = await download(client, `http://${stage.vip}${file.url}`);
  check(bytes === file.bytes, `${bytes} bytes arrived, not ${file.bytes}`);
  const after = [await receivedBytes(client), await receivedBytes(director)] as const;
  const replies = (await capture?.stop())?.length;
  const [atClient, atDirector] = [after[0] - before[0], after[1] - before[1]];
  check((replies ?? 0) === 0, `${replies} replies passed the director`);
  check(stage.returns ? atDirector > file.bytes : atDirector < file.bytes / 10, `${atDirector} bytes passed the director`);
  return { client: atClient, director: atDirector, replies };
}

/** By all of a machine's cables, since it was made. */
export async function receivedBytes(host: Host): Promise<number> {
  const table = lines(await host.readFile("/proc/net/dev")).map((line) => line.trim().split(/[:\s]+/));
  return table.filter(([name]) => host.interfaces.includes(name ?? "")).reduce((sum, cells) => sum + Number(cells[1]), 0);
}

export function check(isSo: boolean, otherwise: string): asserts isSo {
  if (!isSo) throw new Error(otherwise);
}
