import { root } from "./keywords.ts";
import type { Settings } from "./table.ts";

/** Inputs for the tests of this folder: surroundings for single lines, and mutations of whole files. No test itself. */

const VI = "vrrp_instance VI {\n interface eth0\n virtual_router_id 5\n virtual_ipaddress { 10.0.0.1/24 }\n";
const VJ = VI.replace("VI", "VJ").replace(" 5", " 6").replace("0.1/", "0.2/");
const VS = "virtual_server 1.2.3.4 80 {\n protocol TCP\n lb_algo rr\n lb_kind DR\n";
const RS = " real_server 1.2.3.5 80 {\n";
const BFD = "bfd_instance B {\n neighbor_ip 10.0.0.9\n}\n";
const FILE = "track_file F {\n file /run/f\n}\n";

/** What stands before and after a line so that the file is good without it. */
export const surroundings: Readonly<Record<string, readonly [before: string, after: string]>> = {
  root: ["", ""],
  global: ["global_defs {\n", "}\n"],
  vi: [VI, "}\n"],
  viauth: [`${VI}authentication {\n`, "}\n}\n"],
  script: ["vrrp_script S {\n script /bin/true\n", `}\n${VI}track_script { S }\n}\n`],
  proc: ["vrrp_track_process P {\n process x\n", `}\n${VI}track_process { P }\n}\n`],
  tfile: ["track_file F {\n file /run/f\n", `}\n${VI}track_file { F }\n}\n`],
  sync: ["vrrp_sync_group G {\n group { VI VJ }\n", `}\n${VI}}\n${VJ}}\n`],
  garp: ["garp_group {\n interface eth0\n garp_interval 1\n", "}\n"],
  bfd: ["bfd_instance B {\n neighbor_ip 10.0.0.9\n", "}\n"],
  ssl: ["SSL {\n", "}\n"],
  vs: [VS, `${RS}}\n}\n`],
  rs: [VS + RS, "}\n}\n"],
  TCP_CHECK: [`${VS}${RS}TCP_CHECK {\n`, "}\n}\n}\n"],
  HTTP_GET: [`${VS}${RS}HTTP_GET {\nurl { path / }\n`, "}\n}\n}\n"],
  SSL_GET: [`${VS}${RS}SSL_GET {\nurl { path / }\n`, "}\n}\n}\n"],
  SMTP_CHECK: [`${VS}${RS}SMTP_CHECK {\n`, "}\n}\n}\n"],
  DNS_CHECK: [`${VS}${RS}DNS_CHECK {\n`, "}\n}\n}\n"],
  MISC_CHECK: [`${VS}${RS}MISC_CHECK {\nmisc_path /nonexistent\n`, "}\n}\n}\n"],
  UDP_CHECK: [`${VS}${RS}UDP_CHECK {\n`, "}\n}\n}\n"],
  PING_CHECK: [`${VS}${RS}PING_CHECK {\n`, "}\n}\n}\n"],
  BFD_CHECK: [`${BFD}${VS}${RS}BFD_CHECK {\nname B\n`, "}\n}\n}\n"],
  FILE_CHECK: [`${FILE}${VS}${RS}FILE_CHECK {\ntrack_file F\n`, "}\n}\n}\n"],
  url: [`${VS}${RS}HTTP_GET {\n url {\n path /\n`, "}\n}\n}\n}\n"],
};

/** `CONTEXT | LINE ;; LINE` becomes a whole file. */
export function fileOf(row: string): string {
  const bar = row.indexOf("|");
  const [before, after] = surroundings[row.slice(0, bar).trim()] ?? ["", ""];
  return `${before}${row
    .slice(bar + 1)
    .trim()
    .replaceAll(" ;; ", "\n")}\n${after}`;
}

/** Where the table has the settings of a surrounding. */
const paths: Readonly<Record<string, readonly string[]>> = {
  root: [],
  global: ["globalDefs"],
  vi: ["vrrpInstance"],
  viauth: ["vrrpInstance", "authentication"],
  script: ["vrrpScript"],
  proc: ["vrrpTrackProcess"],
  tfile: ["trackFile"],
  sync: ["vrrpSyncGroup"],
  garp: ["garpGroup"],
  bfd: ["bfdInstance"],
  ssl: ["ssl"],
  vs: ["virtualServer"],
  rs: ["virtualServer", "realServer"],
  TCP_CHECK: ["virtualServer", "realServer", "tcpCheck"],
  HTTP_GET: ["virtualServer", "realServer", "httpGet"],
  SMTP_CHECK: ["virtualServer", "realServer", "smtpCheck"],
  DNS_CHECK: ["virtualServer", "realServer", "dnsCheck"],
  MISC_CHECK: ["virtualServer", "realServer", "miscCheck"],
  UDP_CHECK: ["virtualServer", "realServer", "udpCheck"],
  PING_CHECK: ["virtualServer", "realServer", "pingCheck"],
  BFD_CHECK: ["virtualServer", "realServer", "bfdCheck"],
  FILE_CHECK: ["virtualServer", "realServer", "fileCheck"],
  url: ["virtualServer", "realServer", "httpGet", "url"],
};

function settingsAt(path: readonly string[]): Settings {
  let settings: Settings = root.settings as Settings;
  for (const field of path) {
    const reader = settings[field]!.reader;
    if (reader.kind === "block") settings = reader.spec.settings;
  }
  return settings;
}

/** Good and bad values for every keyword. */
const values = [
  ...[
    "",
    '""',
    "x",
    "0",
    "1",
    "2",
    "-1",
    "255",
    "256",
    "65536",
    "4294967296",
    "99999999999999999999",
    "1.5",
    "0.0000001",
    "010",
    "+5",
  ],
  ...["on", "off", "1.2.3.4", "fe80::1", "224.0.0.5", "/bin/true", "eth0", "nosuch0", "1 x", "MASTER", "all 5", "a b c"],
  ...["{", "}", "{ }", '"a'],
];

/** Writes to the machine even when it only tests, or depends on the machine's names. */
const untested = new Set(["config_save_dir", "smtp_server", "net_namespace", "net_namespace_ipvs"]);

/** One row for every keyword of the table with every value, and with a slip of the pen. */
export function keywordRows(): string[] {
  const rows: string[] = [];
  for (const [context, path] of Object.entries(paths)) {
    for (const setting of Object.values(settingsAt(path))) {
      for (const word of [setting.word, ...(setting.aliases ?? [])]) {
        if (untested.has(word)) continue;
        rows.push(
          `${context} | ${word}x 1`,
          `${context} | ${word.toUpperCase() === word ? word.toLowerCase() : word.toUpperCase()} 1`,
        );
        for (const value of values) rows.push(`${context} | ${word} ${value}`);
      }
    }
  }
  return rows;
}

/** Numbers that look random and are the same every time. */
export function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
}

const braced = ["$", "{X}"].join("");
const noise = [
  "{",
  "}",
  '"',
  "#",
  "!",
  "$X",
  braced,
  "@x",
  "~SEQ(A,1,3)",
  "0",
  "-1",
  "99999",
  "on",
  "1.2.3.4",
  "fe80::1/64",
  "\\",
  "nopreempt",
];

/** One to three changes of a file: lines and words lost, doubled, swapped, misspelt or made up. */
export function mutate(text: string, random: () => number): string {
  const lines = text.split("\n");
  const pick = (n: number): number => Math.floor(random() * n);
  for (let n = 1 + pick(3); n > 0; n--) {
    const at = pick(lines.length);
    const words = (lines[at] ?? "").split(" ");
    const word = pick(words.length);
    switch (pick(8)) {
      case 0:
        lines.splice(at, 1);
        break;
      case 1:
        lines.splice(at, 0, lines[pick(lines.length)] ?? "");
        break;
      case 2:
        words.splice(word, 1);
        lines[at] = words.join(" ");
        break;
      case 3:
        words[word] = noise[pick(noise.length)] ?? "";
        lines[at] = words.join(" ");
        break;
      case 4:
        words.splice(word, 0, noise[pick(noise.length)] ?? "");
        lines[at] = words.join(" ");
        break;
      case 5:
        words[word] = misspell(words[word] ?? "", pick);
        lines[at] = words.join(" ");
        break;
      case 6:
        [lines[at], lines[pick(lines.length)]] = [lines[pick(lines.length)] ?? "", lines[at] ?? ""];
        break;
      default:
        lines[at] = (lines[at] ?? "").replace(/[{}]/, "");
    }
  }
  return lines.join("\n");
}

function misspell(word: string, pick: (n: number) => number): string {
  const at = pick(word.length + 1);
  return pick(2) === 0 ? word.slice(0, at) + word.slice(at + 1) : `${word.slice(0, at)}${"abx09._-"[pick(8)]}${word.slice(at)}`;
}
