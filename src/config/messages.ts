import { parseText } from "./parse.ts";
import { explainProblem } from "./source.ts";
import type { Facts } from "./table.ts";
import { fileWith, type Typo, typos } from "./typos.ts";

/** docs/messages.md: what keepalived 2.2.7 and lvsd say about the same slips. Made by tests; see typos.ts. */

const HEAD = `# What is said about slips of the pen

One good keepalived.conf, one slip at a time: what \`keepalived -t\` (2.2.7) says, and what \`lvsd -t\` and \`lvsctl config check\` say. This
page is made by the tests of \`src/config\` with \`UPDATE_DOCS=1\` (as root, with keepalived 2.2.7, for its side).
`;

/** What the machine of this page has. */
const facts: Facts = { interfaces: new Set(["lo", "eth0", "eth1"]), script: (path) => (path === "/bin/true" ? "ok" : "missing") };

/** @param theirs what keepalived says about a slip */
export function messagesPage(theirs: (typo: Typo) => string): string {
  return `${HEAD}\n${typos.map((typo) => section(typo, theirs(typo), ours(typo))).join("\n")}`;
}

export const ours = (typo: Typo): string =>
  parseText(fileWith(typo), { facts }, "keepalived.conf")
    .problems.filter(({ kind }) => kind !== "security") // the good file has it too
    .map(explainProblem)
    .join("\n");

const fenced = (what: string, text: string): string => `${what}\n\n\`\`\`\n${text}\n\`\`\`\n`;

function section({ what, from, to }: Typo, theirs: string, mine: string): string {
  const change = `${from.trim().replace(/^/gm, "- ")}\n${to.trim().replace(/^/gm, "+ ")}`;
  const title = `## ${what[0]!.toUpperCase()}${what.slice(1)}\n\n\`\`\`diff\n${change}\n\`\`\`\n`;
  return [title, fenced("keepalived:", theirs), fenced("lvsd:", mine)].join("\n");
}

/** keepalived's side of a page. */
export function theirsIn(page: string): (typo: Typo) => string {
  const sections = page.split(/^## /m).slice(1);
  const found = new Map(sections.map((text) => [text.slice(0, text.indexOf("\n")).toLowerCase(), text]));
  return ({ what }) => /^keepalived:\n\n```\n([\s\S]*?)\n```$/m.exec(found.get(what.toLowerCase()) ?? "")?.[1] ?? "";
}

/** Without the name of the file, and each message once: it reads a file up to four times. */
export function plainMessages(messages: string): string {
  const lines = messages
    .split("\n")
    .map((line) => line.replace(/\([^()]*?:? ?Line (\d+)\)/, "(Line $1)"))
    .filter((line) => line !== "" && !line.startsWith("SECURITY VIOLATION"));
  const once = [...new Set(lines)];
  return once.length > MOST
    ? [...once.slice(0, MOST), `… and ${once.length - MOST} more`].join("\n")
    : once.join("\n") || "(nothing)";
}

const MOST = 12;
