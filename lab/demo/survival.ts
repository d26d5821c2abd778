import { setTimeout as delay } from "node:timers/promises";
import type { Host } from "../host.ts";
import { ipvsadm, type Lvsd, startLvsd } from "../lvsd.ts";
import { download, sha256Of } from "../traffic.ts";
import type { Survival } from "./findings.ts";
import type { Say } from "./progress.ts";
import { check, receivedBytes } from "./traffic.ts";

/** kill -9 of lvsd in the middle of a download; after a while without it, a new one takes over. */

const RATE = 60_000_000; // bytes per second, so that there is a middle
const ALONE = 1000; // ms without lvsd

export interface Scene {
  readonly client: Host;
  readonly director: Host;
  readonly lvsd: Lvsd;
  readonly method: string;
  readonly vip: string;
  readonly file: { readonly path: string; readonly url: string; readonly bytes: number };
}

export async function killAndAdopt(scene: Scene, say: Say): Promise<Survival> {
  const { client, director, lvsd, file } = scene;
  const expected = await sha256Of(client, file.path);
  const start = await receivedBytes(client);
  const begun = performance.now();
  const now = () => (performance.now() - begun) / 1000;
  const received = async () => (await receivedBytes(client)) - start;
  let doing = `lvsd (pid ${lvsd.running.pid}) is there`;
  const ticker = setInterval(
    () =>
      void received().then(
        (n) => say(`${(n / 1e6).toFixed(0)} MB; ${doing}`),
        () => {},
      ),
    150,
  );
  try {
    const downloaded = download(client, `http://${scene.vip}${file.url}`, String(RATE));
    downloaded.catch(() => {}); // told of below
    await delay(900);
    const table = await tableOf(director);
    await lvsd.kill9();
    const killed = { at: now(), pid: lvsd.running.pid, received: await received() };
    doing = "kill -9: nobody is there";
    await delay(ALONE);
    check((await ipvsadm(director, "-Ln")).code !== 0, "an lvsd answers that was killed");
    const next = await startLvsd(director);
    doing = `a new lvsd (pid ${next.running.pid}) has adopted it`;
    const back = { at: now(), pid: next.running.pid, received: await received() };
    check(back.received > killed.received, "nothing arrived while lvsd was away");
    check(back.received < file.bytes, "the download was over before the new lvsd was there");
    const adopted = [...next.running.stderr.matchAll(/interface=(\S+) .*adopted=true/g)].map((found) => found[1]!);
    check(adopted.length === director.interfaces.length, `adopted ${adopted.join(", ") || "nothing"}`);
    const after = await tableOf(director);
    check(after === table, `the table was\n${table}and is\n${after}`);
    const { bytes, sha256 } = await downloaded;
    check(bytes === file.bytes && sha256 === expected, `${bytes} bytes with sha256 ${sha256} arrived, not ${expected}`);
    return { method: scene.method, bytes, sha256, killed, back, end: now(), adopted };
  } finally {
    clearInterval(ticker);
  }
}

/** Services, dests and their live connections; finished ones expire all the time. */
const tableOf = async (director: Host): Promise<string> =>
  (await ipvsadm(director, "-Ln")).stdout.replaceAll(/^( {2}-> .*?) +\d+ *$/gm, "$1");
