import { root } from "./keywords.ts";
import type { Setting, Settings } from "./table.ts";

/** The manual of keepalived.conf as Markdown, from the keyword table. docs/keepalived.conf.md is its output. */
export function documentConfig(): string {
  const sections: string[] = [];
  collect("The root of the file", [], root.settings as Settings, sections, new Map());
  return `${HEAD}\n${sections.join("\n")}`;
}

const HEAD = `# keepalived.conf

Every word that lvsd reads in a keepalived.conf, made from the table the parser itself uses (\`src/config/keywords.ts\`);
do not edit this page, run the tests of \`src/config\` with \`UPDATE_DOCS=1\`. Times are seconds unless it says otherwise.
Words of keepalived 2.2.7 carry no mark; "since" names the first version of later ones. Those that are lvsd's own, keepalived
refuses.
`;

function collect(title: string, path: readonly string[], settings: Settings, out: string[], done: Map<Settings, string>): void {
  const known = done.get(settings);
  if (known !== undefined) {
    out.push(`## ${title}\n\nAs [${known}](#${anchor(known)}).\n`);
    return;
  }
  done.set(settings, title);
  const rows = Object.values(settings).map(row);
  out.push(`## ${title}\n\n| Word | Values | Default | Meaning |\n| --- | --- | --- | --- |\n${rows.join("\n")}\n`);
  for (const setting of Object.values(settings)) {
    if (setting.reader.kind !== "block") continue;
    const inner = [...path, setting.word];
    collect(inner.join(" › "), inner, setting.reader.spec.settings, out, done);
  }
}

const anchor = (title: string): string =>
  title
    .toLowerCase()
    .replace(/[^\w\- ]/g, "")
    .replaceAll(" ", "-");

const OTHERS: Readonly<Record<string, string>> = { fork: "Of the FullNAT forks.", lvsd: "lvsd's own." };

function row(setting: Setting<unknown>): string {
  const aliases = (setting.aliases ?? []).map((alias) => ` (\`${alias}\`)`).join("");
  const usage = setting.usage === "" ? "" : `\`${setting.usage}\``;
  const cells = [`\`${setting.word}\`${aliases}`, usage, defaultOf(setting), [setting.doc, ...notesOf(setting)].join(" ")];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

/** What a reader must know beside the meaning. */
export const notesOf = ({ since, deprecated, ignored }: Setting<unknown>): string[] => [
  ...(since === undefined ? [] : [OTHERS[since] ?? `Since ${since}.`]),
  ...(deprecated === undefined ? [] : [`Deprecated, use ${deprecated}.`]),
  ...(ignored === undefined ? [] : [`No effect: ${ignored}.`]),
];

/** The default in words, "" when there is none. */
export function defaultOf(setting: Setting<unknown>): string {
  if (setting.standard !== undefined) return setting.standard;
  const { initial } = setting;
  if (initial === undefined || setting.reader.kind !== "value" || Array.isArray(initial)) return "";
  if (typeof initial === "boolean") return initial ? "on" : "off";
  return typeof initial === "object" && initial !== null
    ? Object.values(initial)
        .filter((v) => v !== false)
        .join(" ")
    : String(initial);
}
