import { hexOf, seeded } from "./bytes.ts";
import type { Step } from "./case.ts";
import { craft, parseEndpoint, parsePacket } from "./craft.ts";
import { line } from "./side.ts";
import { frameToDirector, letterOf } from "./topology.ts";

/**
 * `picks N PROTOCOL VIP:PORT [name=value...]`: N new flows, and the letter of the real server each first packet went to
 * (A is .11). `-` is an answer to the client instead (no destination), `.` is nothing at all.
 *
 *   seed=7          random clients in 172.16.0.0/12 (or fd09::/64) and random ports (the default, seed 1)
 *   clients=table   the clients of spec A.2, ports 5000+i
 *   from=A port=P   one client, ports P, P+1, …
 *   flags=S         TCP flags of the first packet
 *   churn=20        after each pick, with 20 % chance, a FIN from the client of a random earlier flow
 *   vips=8          the address steps through VIP … VIP+7
 */
interface Wish {
  readonly count: number;
  readonly protocol: string;
  readonly vip: string;
  readonly port: number;
  readonly options: ReadonlyMap<string, string>;
}

interface Flow {
  readonly from: string;
  readonly sport: number;
  readonly to: string;
}

const OPTIONS = ["seed", "clients", "from", "port", "flags", "churn", "vips"];

function parseWish(words: readonly string[]): Wish {
  const [count, protocol, target, ...rest] = words;
  if (count === undefined || protocol === undefined || target === undefined)
    throw new Error(`expected "picks N PROTOCOL VIP:PORT"`);
  const { addr, port } = parseEndpoint(target);
  const options = new Map(rest.map((w) => [w.split("=")[0]!, w.slice(w.indexOf("=") + 1)]));
  for (const name of options.keys()) if (!OPTIONS.includes(name)) throw new Error(`unknown option ${name}=`);
  return { count: Number(count), protocol, vip: addr, port, options };
}

const endpoint = (addr: string, port: number): string => (addr.includes(":") ? `[${addr}]:${port}` : `${addr}:${port}`);

function flowsOf(wish: Wish, random: () => number): Flow[] {
  const { options } = wish;
  const below = (n: number): number => Math.floor(random() * n);
  const vips = Number(options.get("vips") ?? 1);
  const cut = Math.max(wish.vip.lastIndexOf("."), wish.vip.lastIndexOf(":")) + 1;
  const to = (i: number): string => wish.vip.slice(0, cut) + (Number(wish.vip.slice(cut)) + (i % vips));
  const used = new Set<string>();
  return Array.from({ length: wish.count }, (_, i) => {
    const from = options.get("from");
    if (from !== undefined) return { from, sport: Number(options.get("port") ?? 2000) + i, to: to(i) };
    if (options.get("clients") === "table") {
      return { from: `172.16.${Math.floor(i / 7)}.${((i * 37) % 250) + 1}`, sport: 5000 + i, to: to(i) };
    }
    for (;;) {
      const client = wish.vip.includes(":")
        ? `fd09::${below(65536).toString(16)}:${below(65536).toString(16)}`
        : `172.${16 + below(16)}.${below(256)}.${1 + below(254)}`;
      const flow = { from: client, sport: 1024 + below(64000), to: to(i) };
      const id = `${flow.from} ${flow.sport}`;
      if (used.has(id)) continue;
      used.add(id);
      return flow;
    }
  });
}

function frameOf(wish: Wish, flow: Flow, flags: string): string {
  const words = [wish.protocol, endpoint(flow.from, flow.sport), ">", endpoint(flow.to, wish.port), flags];
  return hexOf(frameToDirector("c", craft(parsePacket(words.filter((w) => w !== "")))[0]!));
}

export function pickStep(words: readonly string[], text: string): Step {
  const wish = parseWish(words);
  const random = seeded(Number(wish.options.get("seed") ?? 1));
  const flows = flowsOf(wish, random);
  const churn = Number(wish.options.get("churn") ?? 0) / 100;
  const isPick: boolean[] = [];
  const plan: string[] = [];
  flows.forEach((flow, i) => {
    plan.push(line("P", "c", frameOf(wish, flow, wish.protocol === "tcp" ? (wish.options.get("flags") ?? "S") : "")));
    isPick.push(true);
    if (random() >= churn) return;
    plan.push(line("P", "c", frameOf(wish, flows[Math.floor(random() * (i + 1))]!, "FA")));
    isPick.push(false);
  });
  return {
    text,
    plan: () => plan,
    read(a, memory) {
      const letters = a.picks.filter((_, i) => isPick[i]).map(pickLetter);
      const rows: string[] = [];
      for (let i = 0; i < letters.length; i += 100) rows.push(letters.slice(i, i + 100).join(""));
      memory.lastLines = [letters.join(" ")];
      return [...a.problems.map((p) => `! ${p}`), ...rows];
    },
  };
}

/** From the agent's note: side and last MAC byte of every frame that came out. */
function pickLetter(note: string): string {
  const all = note.split(",").filter((p) => p !== "");
  if (all.length === 0) return ".";
  if (all.length > 1) return `(${note})`;
  const number = Number.parseInt(all[0]!.slice(1), 16);
  return all[0]!.startsWith("c") ? "-" : letterOf(number);
}
