import type { Client } from "../src/cli/client.ts";
import { ipvsadm } from "../src/cli/ipvsadm/main.ts";
import { systemNames } from "../src/cli/ipvsadm/names.ts";
import { serviceId } from "../src/director/director.ts";
import { Model } from "../src/director/model/model.ts";
import type { Hop, World } from "../src/director/model/world.ts";
import { looksUnicast } from "../src/director/validate.ts";
import { familyOf, type Ip, ip } from "../src/net/ip.ts";
import { change16, updated } from "../src/wire/checksum.ts";
import { bytesOf, hexOf } from "./bytes.ts";
import type { Case } from "./case.ts";
import { outcomeOf, planOf } from "./plan.ts";
import { COMMAND_TIME, type Dialect, line, type Outcome, type Side } from "./side.ts";
import { IFINDEX, type Sent, sideOf, stack } from "./stack.ts";
import { directorMac, FIRST_REAL, hostMac, LAST_REAL, type SideLetter } from "./topology.ts";

/**
 * The model in the director's place: no namespaces, no processes, no root, and time that passes at once. It carries out
 * the agent's plan line by line. What the model passes to the director's stack goes on in stack.ts.
 */
export class ModelSide implements Side {
  readonly name = "model";
  async start(): Promise<void> {}
  async stop(): Promise<void> {}

  async run(cases: readonly Case[]): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (const c of cases) {
      const run = new Run();
      const answers: string[] = [];
      for (const text of planOf(c, modelDialect, "").split("\n"))
        if (text !== "") answers.push(...(await run.obey(text.split("\t"))));
      outcomes.push(outcomeOf(c, `${answers.join("\n")}\nend`));
    }
    return outcomes;
  }
}

const modelDialect: Dialect = {
  links: [],
  ready: [],
  ipvsadm: "ipvsadm",
  quiet: 0,
  writeSetting: (name, value) => line("X", COMMAND_TIME, "set", name, value),
  readSetting: (name) => line("X", COMMAND_TIME, "get", name),
  mark: (mark, port) => [line("X", COMMAND_TIME, "mark", mark, port)],
};

/** Topology.ts as the model's world. */
class CaseWorld implements World {
  readonly #routes = new Map<string, Hop>();
  readonly #deviceMtu = new Map<number, number>();
  mac(ifindex: number): Uint8Array {
    return directorMac(ifindex === 1 ? "c" : "r");
  }
  isLocal(address: Ip): boolean {
    return OWN.has(address) || address.startsWith("127.");
  }
  hop(address: Ip): Hop {
    if (this.isLocal(address)) return { state: "local" };
    const hop = this.#routes.get(address) ?? neighbour(address);
    const mtu = hop.state === "resolved" ? this.#deviceMtu.get(hop.ifindex) : undefined;
    return hop.state === "resolved" && mtu !== undefined ? { ...hop, mtu } : hop;
  }
  /** `ip route` and `ip link` as far as the cases go; false: not understood. */
  route(words: readonly string[]): boolean {
    const text = words.join(" ");
    const mtu = /^(?:-6 )?route replace (\S+?)\/\d+ dev (dc|dr) mtu (\d+)$/.exec(text);
    if (mtu !== null) {
      const hop = neighbour(ip(mtu[1]!));
      if (hop.state === "resolved") this.#routes.set(ip(mtu[1]!), { ...hop, mtu: Number(mtu[3]) });
      return true;
    }
    const device = /^link set d(c|r) mtu (\d+)$/.exec(text);
    if (device !== null) this.#deviceMtu.set(IFINDEX[device[1] as SideLetter], Number(device[2]));
    if (device !== null || words[0] === "rule" || words[2] === "local") return true; // XDP and the model see marked packets anyway
    const unreachable = /^route add unreachable (\S+)\/32$/.exec(text);
    if (unreachable !== null) this.#routes.set(ip(unreachable[1]!), { state: "unreachable" });
    const via = /^route add (\S+)\.0\/24 via (\S+) dev (dc|dr)$/.exec(text);
    if (via !== null) for (let n = 1; n < 255; n++) this.#routes.set(ip(`${via[1]}.${n}`), neighbour(ip(via[2]!)));
    return unreachable !== null || via !== null;
  }
}

const vips = Array.from({ length: 20 }, (_, i) => [`10.1.0.${100 + i}`, `fd01::${100 + i}`]).flat();
const OWN: ReadonlySet<string> = new Set([...vips, "10.1.0.1", "10.2.0.1", "fd01::1", "fd02::1", "::1"]);

/** The broadcast addresses of the director's links are no hosts'. */
const isUnicast = (address: Ip): boolean => looksUnicast(address) && address !== "10.1.0.255" && address !== "10.2.0.255";

function neighbour(address: Ip): Hop {
  const isSix = familyOf(address) === "ipv6";
  const last = Number(address.slice(Math.max(address.lastIndexOf("."), address.lastIndexOf(":")) + 1));
  const side: SideLetter = /^(10\.2\.0\.|fd02::)\d+$/.test(address) ? "r" : "c";
  if (side === "r" && (last < FIRST_REAL || last > LAST_REAL)) return { state: "unresolved" };
  const isNear = side === "r" || /^(10\.1\.0\.|fd01::)\d+$/.test(address);
  const macs = Uint8Array.from([...hostMac(side, isNear ? last : 254), ...directorMac(side)]);
  const source = ip(isSix ? (side === "c" ? "fd01::1" : "fd02::1") : side === "c" ? "10.1.0.1" : "10.2.0.1");
  return { state: "resolved", ifindex: IFINDEX[side], macs, mtu: 1500, source };
}

class Run {
  readonly #world = new CaseWorld();
  readonly #model = new Model({ world: this.#world, isUnicast, icmpPerSecond: Number.POSITIVE_INFINITY });
  readonly #marks = new Map<number, number>();
  #now = 1_000_000;
  #stdin = "";
  #isReady = false;

  constructor() {
    this.#model.tick(this.#now);
  }

  /** One line of the plan; the agent's notes on it. */
  async obey([code, ...words]: string[]): Promise<string[]> {
    switch (code) {
      case "=":
        this.#isReady ||= words[0] !== "prologue";
        return [`= ${words[0]}`];
      case "I":
        this.#stdin = Buffer.from(words[0] ?? "", "hex").toString();
        return [];
      case "X":
        return this.#isReady ? this.#command(words.slice(1)) : [];
      case "M":
        this.#pass(Number(words[0]));
        return [];
      case "S":
        return words
          .slice(1)
          .flatMap((hex) =>
            this.#send(words[0] as SideLetter, bytesOf(hex)).map(({ side, frame }) => `f ${side} ${hexOf(frame)}`),
          );
      case "P":
        return [
          `p ${this.#send(words[0] as SideLetter, bytesOf(words[1]!))
            .map(({ side, frame }) => side + hexOf(frame.subarray(5, 6)))
            .join(",")}`,
        ];
      default:
        return [];
    }
  }

  #pass(ms: number): void {
    this.#now += ms;
    this.#model.tick(this.#now);
  }

  async #command([program, ...words]: string[]): Promise<string[]> {
    const said = (code: number, text = ""): string[] => [
      ...(text === "" ? [] : [`o ${Buffer.from(text).toString("hex")}`]),
      `x ${code}`,
    ];
    if (program === "ipvsadm") return this.#ipvsadm(words);
    if (program === "ip") return this.#world.route(words) ? said(0) : ["! route not understood"];
    if (program === "mark") this.#marks.set(Number(words[1]), Number(words[0]));
    if (program === "get") return said(0, this.#model.settings()[words[0]!] ?? "");
    if (program !== "set" || words[0]!.includes(".")) return said(0);
    const [refusal] = this.#model.apply([{ op: "set-setting", name: words[0]!, value: words[1]! }]);
    return refusal === undefined ? said(0) : said(22);
  }

  async #ipvsadm(words: readonly string[]): Promise<string[]> {
    let text = "";
    const out = (more: string): void => {
      text += more;
    };
    const stdin = this.#stdin;
    this.#stdin = "";
    const code = await ipvsadm(words, { stdin: async () => stdin, out, err: out }, this.#client(), systemNames());
    return [`o ${Buffer.from(text).toString("hex")}`, `x ${code}`];
  }

  #client(): Client {
    const model = this.#model;
    return {
      info: async () => model.info(),
      services: async (key) => model.services().filter((each) => key === undefined || serviceId(each.key) === serviceId(key)),
      async *conns() {
        yield [...model.conns()];
      },
      timeouts: async () => model.timeouts(),
      daemons: async () => model.syncDaemons(),
      settings: async () => model.settings(),
      apply: async (operations) => model.apply(operations),
    };
  }

  #send(side: SideLetter, frame: Uint8Array): Sent[] {
    const {
      verdict,
      reason,
      ifindex = IFINDEX[side],
      frame: out = frame,
    } = this.#model.receive(frame, {
      ifindex: IFINDEX[side],
      now: this.#now,
      mark: this.#markOf(frame),
    });
    if (verdict === "drop") return [];
    if (verdict === "pass") return stack(this.#world, out);
    return [{ side: sideOf(ifindex), frame: reason === "tunnel" || reason === "icmp-related" ? withOwnId(out) : out }];
  }

  #markOf(frame: Uint8Array): number {
    const at = frame[12] === 0x86 ? 54 : 14 + (frame[14]! & 15) * 4;
    return this.#marks.get((frame[at + 2]! << 8) | frame[at + 3]!) ?? 0;
  }
}

const TUNNELS = new Set([4, 41, 17, 47]);

/** The transcripts hide ids that the director makes up; the model's outer header has the inner id, which they show. */
function withOwnId(frame: Uint8Array): Uint8Array {
  if (frame[12] !== 8 || !TUNNELS.has(frame[23]!)) return frame;
  const view = new DataView(frame.buffer, frame.byteOffset);
  view.setUint16(24, updated(view.getUint16(24), change16(view.getUint16(18), 0xfade)));
  view.setUint16(18, 0xfade);
  return frame;
}
