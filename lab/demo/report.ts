import { countEach } from "../traffic.ts";
import { lines } from "../until.ts";
import type { Colors } from "./colours.ts";
import type { BenchRow, Findings, MethodFinding, PairFinding, Survival } from "./findings.ts";

/** What the demo found, as a page of at most 80 columns. */
export function report(found: Findings, colours: Colors): string {
  const { bold, dim } = colours;
  const section = (title: string, about: string, body: readonly string[]): string[] => [
    "",
    `${bold(title)}${about === "" ? "" : `  ${dim(about)}`}`,
    "",
    ...body.map((line) => `  ${line}`.trimEnd()),
  ];
  return [
    "",
    dim("━".repeat(RULE)),
    ...section("The lab", `veth cables, lvsd on the ${found.hook} hook of the director`, picture(found.picture)),
    ...section("ipvsadm -Ln", "on the director", lines(found.listing).map(trimEnd)),
    ...section("ipvsadm -Ln --stats", "", lines(found.statistics).map(trimEnd)),
    ...section("Who answered", `${found.methods[0]?.answers.length} connections each, one after the other`, [
      ...found.methods.flatMap((method) => shares(method, colours)),
    ]),
    ...section("How fast", "wrk, 32 keep-alive connections; all on this machine's processors", [...found.methods.map(speed)]),
    ...section("The way back", "a download by each method; DR and TUN replies bypass the director", waysBack(found, colours)),
    ...section("Inside TUN", "a SYN arriving at the real server, by tcpdump: protocol 4", [
      ...found.methods.flatMap((method) => captured(method.captured)),
    ]),
    ...section(
      "Whom the server saw",
      "the client is 10.1.0.2",
      found.methods.map((method) => source(method, dim)),
    ),
    ...section("Nanoseconds a packet", "the data path alone, by XDP, on one processor", bench(found.bench, dim)),
    ...section(
      "kill -9 of lvsd",
      `in the middle of a download of ${megabytes(found.survival.bytes)} by ${found.survival.method}`,
      [...survival(found.survival, colours)],
    ),
    ...section("A pair of directors", "a keepalived.conf each; d1 loses its power", [
      ...picture(found.pair.picture),
      "",
      ...takeOver(found.pair, colours),
    ]),
    "",
    dim("━".repeat(RULE)),
    `${dim(`${found.seconds.toFixed(0)} s; the lab is gone. To look around in one yourself:`)} make lab`,
    "",
  ].join("\n");
}

const RULE = 78; // columns
const NAME = 9;
const BAR = 22;
const LONG_BAR = 64;

const trimEnd = (line: string): string => line.trimEnd();
const megabytes = (bytes: number): string =>
  bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(bytes < 10e6 ? 1 : 0)} MB`;

/** wrk's "561.99us" and "1.50ms" in milliseconds. */
function milliseconds(latency: string): string {
  const unit = { us: 1e-3, ms: 1, s: 1e3 }[/[a-z]+$/.exec(latency)?.[0] ?? ""];
  return unit === undefined ? latency : `${(Number.parseFloat(latency) * unit).toFixed(2)} ms`;
}

/** Without what all its lines are indented by. */
function picture(text: string): string[] {
  const drawn = lines(text);
  const indent = Math.min(...drawn.map((line) => line.length - line.trimStart().length));
  return drawn.map((line) => line.slice(indent));
}

function shares({ name, scheduler, servers, answers }: MethodFinding, { green, dim }: Colors): string[] {
  const counts = countEach(answers);
  return servers.map((server, i) => {
    const count = counts.get(server) ?? 0;
    const full = Math.round((BAR * count) / answers.length);
    const bar = green("█".repeat(full)) + dim("░".repeat(BAR - full));
    const label = i === 0 ? `${name.padEnd(NAME)}${scheduler.padEnd(9)}` : " ".repeat(NAME + 9);
    const order = i === 0 ? dim(`  ${answers.slice(0, 4).join(" ")} …`) : "";
    return `${label}${server.padEnd(6)}${bar} ${String(count).padStart(3)}${order}`;
  });
}

const speed = ({ name, load }: MethodFinding): string =>
  `${name.padEnd(NAME)}${Math.round(load.requestsPerSecond).toLocaleString("en").padStart(8)} requests/s, ${milliseconds(load.latency)} on average, ${load.errors} errors`;

function waysBack({ methods }: Findings, { dim }: Colors): string[] {
  const row = (name: string, client: string, director: string, replies: string) =>
    `${name.padEnd(NAME)}${client.padStart(16)}${director.padStart(20)}${replies.padStart(24)}`;
  return [
    dim(row("", "client received", "director received", "replies captured there")),
    ...methods.map(({ name, wayBack }) =>
      row(
        name,
        megabytes(wayBack.client),
        megabytes(wayBack.director),
        wayBack.replies === undefined ? "all pass it" : String(wayBack.replies),
      ),
    ),
  ];
}

/** tcpdump's lines without the clock and without what says little. */
const captured = (said: readonly string[]): string[] =>
  said.map((line, depth) => {
    const told = line
      .replace(/^\d\d:\d\d:\d\d\.\d+ /, "")
      .replace(/, cksum 0x[0-9a-f]+ \([^)]*\)/, "")
      .replace(/tos 0x[0-9a-f]+, /g, "")
      .replace(/, seq \d+/, "")
      .replace(/, options \[.*\]/, "")
      .replace(/, id \d+, offset 0/g, "");
    return " ".repeat(2 * depth) + told;
  });

const source = ({ name, source }: MethodFinding, dim: (text: string) => string): string =>
  `${name.padEnd(NAME)}${source.padEnd(12)}${source === "10.1.0.2" ? "" : dim("an address of the director, so the reply returns to it")}`.trimEnd();

const METHODS = [
  ["NAT", "nat"],
  ["DR", "route"],
  ["TUN", "tunnel"],
  ["FullNAT", "fullnat"],
] as const;

function bench(rows: readonly BenchRow[], dim: (text: string) => string): string[] {
  const ns = (name: string) => rows.find((row) => row.hook === "xdp" && row.name === name)?.ns;
  const kinds = [
    ["of a known flow", (word: string) => `tcp ${word}`],
    ["a reply", (word: string) => `tcp ${word} reply`],
    ["the first of a flow", (word: string) => `tcp new ${word}`],
  ] as const;
  const cell = (value: number | undefined) => (value === undefined ? "-" : value.toFixed(0)).padStart(NAME);
  return [
    dim(`${" ".repeat(20)}${METHODS.map(([name]) => name.padStart(NAME)).join("")}`),
    ...kinds.map(([title, rowOf]) => `${title.padEnd(20)}${METHODS.map(([, word]) => cell(ns(rowOf(word)))).join("")}`),
  ];
}

function survival({ bytes, sha256, killed, back, end, adopted }: Survival, { red, green, dim }: Colors): string[] {
  const at = (seconds: number) => `${seconds.toFixed(1).padStart(3)} s  `;
  const width = LONG_BAR;
  const place = (n: number) => Math.round((width * n) / bytes);
  const [first, second] = [place(killed.received), place(back.received)];
  const bar = green("█".repeat(first)) + red("▒".repeat(second - first)) + green("█".repeat(Math.max(0, width - second)));
  return [
    bar,
    dim(`${"lvsd".padEnd(first)}${"nobody".padEnd(second - first)}a new lvsd`),
    "",
    `${at(killed.at)}kill -9 of pid ${killed.pid}; ${megabytes(killed.received)} had arrived`,
    `${at(back.at)}pid ${back.pid} has adopted ${adopted.join(" and ")}, with the same table;`,
    `       ${megabytes(back.received - killed.received)} arrived meanwhile`,
    `${at(end)}all ${bytes.toLocaleString("en")} bytes, ${green("sha256 as on the server")}`,
    `       ${dim(sha256)}`,
  ];
}

/** Who had which VIP, and what became of short connections to it. */
function takeOver({ vips, moments, patience, advert, wrk }: PairFinding, { green, dim }: Colors): string[] {
  const row = (what: string, cells: readonly string[]) => `${what.padEnd(12)}${cells.map((cell) => cell.padEnd(29)).join("")}`;
  const cell = (holder: string, { tries, broken, gap }: PairFinding["moments"][number]["seen"][number]) =>
    `${holder}  ${`${broken}/${tries}`.padStart(7)}  ${gap.toFixed(0).padStart(4)} ms`;
  const dead = moments[1]!;
  return [
    dim(row("", [...vips])),
    dim(row("", ["at  broken  longest gap", "at  broken  longest gap"])),
    ...moments.map(({ what, holders, seen }) =>
      row(
        what,
        holders.map((holder, i) => cell(holder, seen[i]!)),
      ),
    ),
    "",
    `${green(`d2 answered for d1 after ${dead.seen[0]!.gap.toFixed(0)} ms.`)} VRRP, with ${advert} ms between adverts, waits`,
    `for ${patience.toFixed(0)} ms of silence. "Broken" are short connections, a hundred a second to`,
    `each VIP. Long ones are not known to the other director, which resets them:`,
    `wrk had ${wrk.requests.toLocaleString("en")} answers, and ${wrk.errors} errors on its 8 keep-alive connections.`,
  ];
}
