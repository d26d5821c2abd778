import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

/** The examples of Debian's keepalived.conf(5), read where it is installed: whole blocks, and single lines in their surroundings. */

const PAGE = "/usr/share/man/man5/keepalived.conf.5.gz";

/** The page without its markup, example by example. */
export function manualBlocks(): readonly string[] {
  const page = gunzipSync(readFileSync(PAGE)).toString("utf8");
  const blocks = [...page.matchAll(/^\.nf\n([\s\S]*?)^\.fi$/gm)].map((found) => plain(found[1]!));
  return blocks.filter((text) => /[{$~@]/.test(text));
}

const plain = (text: string): string =>
  text
    .replaceAll(/\\f[BIR]/g, "")
    .replaceAll("\\e", "\\")
    .replaceAll("\\-", "-")
    .replaceAll("\\'", "'")
    .replaceAll("\\\\", "\\")
    .split("\n")
    .filter((line) => !/^\.[A-Za-z]/.test(line))
    .join("\n");

/** Blocks of the page by their word, and the surroundings of corpus.ts that they are. */
const CONTEXTS: Readonly<Record<string, string>> = {
  "": "root",
  global_defs: "global",
  vrrp_script: "script",
  vrrp_track_process: "proc",
  track_file: "tfile",
  vrrp_sync_group: "sync",
  garp_group: "garp",
  vrrp_instance: "vi",
  authentication: "viauth",
  bfd_instance: "bfd",
  SSL: "ssl",
  virtual_server: "vs",
  real_server: "rs",
  CHECKER_TYPE: "TCP_CHECK",
  "HTTP_GET|SSL_GET": "HTTP_GET",
  SMTP_CHECK: "SMTP_CHECK",
  DNS_CHECK: "DNS_CHECK",
  MISC_CHECK: "MISC_CHECK",
  UDP_CHECK: "UDP_CHECK",
  BFD_CHECK: "BFD_CHECK",
  FILE_CHECK: "FILE_CHECK",
  url: "url",
};
/** Lists whose lines are no statements. */
const LISTS =
  /^(virtual_ipaddress(_excluded)?|virtual_routes|virtual_rules|static_\w+|track_\w+|unicast_peer|group|interfaces|notification_email|linkbeat_interfaces|virtual_server_group)$/;

/** "vi | advert_int 1": every line of the page that says a keyword with a value as one would write it. */
export function manualRows(): readonly string[] {
  const rows = manualBlocks().flatMap((text) => {
    const open: string[] = [];
    return text.split("\n").flatMap((raw) => {
      const line = raw.replace(/(^|\s)#.*$/, "").trim();
      const word = line.split(/\s+/)[0] ?? "";
      if (line.endsWith("{")) {
        open.push(word.replace(/\{$/, ""));
        return [];
      }
      if (line === "}") {
        open.pop();
        return [];
      }
      const isLiteral = line !== "" && !/[<>[\]|{}\\$~@]|\.\.\./.test(line) && /^[a-z_]/i.test(word);
      const [around = "", list] = LISTS.test(open.at(-1) ?? "") ? [open.at(-2), open.at(-1)] : [open.at(-1)];
      const context = CONTEXTS[around];
      if (context === undefined || (!isLiteral && list === undefined) || /[<>[\]|{}\\$~@]|\.\.\.|^$/.test(line)) return [];
      return list === undefined ? [`${context} | ${line}`] : [`${context} | ${list} { ${line} }`];
    });
  });
  return [...new Set(rows)];
}
