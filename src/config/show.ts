import type { KeepalivedConfig } from "./keywords.ts";
import { root } from "./keywords.ts";
import type { Origin } from "./source.ts";
import { commandText, spell } from "./spell.ts";
import type { Entry, Placed, Setting, Settings } from "./table.ts";

/**
 * The effective configuration: every value with the place it comes from, or "default". The text is a keepalived.conf itself:
 * places stand in comments, and reading it gives the same values.
 */

export interface ShowOptions {
  /** Also what nobody wrote. */
  readonly defaults?: boolean;
}

/** One value for programs. */
export interface ShownValue {
  /** ["vrrp_instance VI_1", "priority"] */
  readonly path: readonly string[];
  readonly value: unknown;
  /** "a.conf:8" or "default". */
  readonly from: string;
}

export function showConfig(config: KeepalivedConfig, options: ShowOptions = {}): string {
  const out: Row[] = [];
  showBlock(root.settings as Settings, config as unknown as Shown, [], { options, out });
  const width = Math.min(60, Math.max(0, ...out.map((row) => row.text.length)));
  return out.map(({ text, from }) => (from === "" ? `${text}\n` : `${text.padEnd(width)}  # ${from}\n`)).join("");
}

export function shownValues(config: KeepalivedConfig, options: ShowOptions = {}): readonly ShownValue[] {
  const out: Row[] = [];
  showBlock(root.settings as Settings, config as unknown as Shown, [], { options, out });
  return out.flatMap(({ value, from }) => (value === undefined ? [] : [{ ...value, from }]));
}

interface Row {
  readonly text: string;
  readonly from: string;
  readonly value?: Omit<ShownValue, "from">;
}
interface Showing {
  readonly options: ShowOptions;
  readonly out: Row[];
}
type Shown = Placed & Readonly<Record<string, unknown>>;
type Path = readonly string[];

const placeOf = (origin: Origin | undefined): string => (origin === undefined ? "default" : `${origin.file}:${origin.line}`);
const indentOf = (path: Path): string => "    ".repeat(path.length);

function showBlock(settings: Settings, value: Shown, path: Path, showing: Showing): void {
  for (const [field, setting] of Object.entries(settings)) {
    const origin = value.origins[field];
    const isShown = origin !== undefined || (showing.options.defaults === true && setting.reader.kind === "value");
    if (isShown) showSetting(setting, value[field], origin, path, showing);
  }
}

function showSetting(setting: Setting<unknown>, value: unknown, origin: Origin | undefined, path: Path, showing: Showing): void {
  const { reader, word } = setting;
  const { out } = showing;
  if (reader.kind === "block") {
    for (const inner of (reader.many ? value : [value]) as readonly Shown[]) {
      const head = [word, spell(inner.header)].join(" ").trim();
      out.push({ text: `${indentOf(path)}${head} {`, from: placeOf(inner.origin) });
      showBlock(reader.spec.settings, inner, [...path, head], showing);
      out.push({ text: `${indentOf(path)}}`, from: "" });
    }
  } else if (reader.kind === "entries") showEntries(word, value as readonly Entry<unknown>[], origin, path, out);
  else if (reader.kind === "group") {
    for (const group of value as readonly { header: unknown; origin: Origin; entries: readonly Entry<unknown>[] }[])
      showEntries(`${word} ${spell(group.header)}`, group.entries, group.origin, path, out);
  } else if (reader.many) {
    for (const entry of value as readonly Entry<unknown>[]) out.push(rowOf(setting, entry.value, entry.origin, path));
  } else if (value !== undefined) out.push(rowOf(setting, value, origin, path));
  else if (setting.standard !== undefined) out.push({ text: `${indentOf(path)}# ${word}: ${setting.standard}`, from: "" });
}

/** Settings whose words are a command line. */
const COMMANDS = new Set(["script", "misc_path"]);

function rowOf({ word, usage }: Setting<unknown>, value: unknown, origin: Origin | undefined, path: Path): Row {
  const isBare = (usage === "" && value === true) || (usage.startsWith("[") && value === "");
  const isOff = usage === "" && value === false; // no word turns it off: there is none to be shown
  const text = COMMANDS.has(word) ? commandText(value as readonly string[]) : spell(value);
  const said = isBare ? word : `${word} ${text}`.trim();
  return {
    text: `${indentOf(path)}${isOff ? `# ${word}: off` : said}`,
    from: placeOf(origin),
    value: { path: [...path, word], value },
  };
}

function showEntries(head: string, entries: readonly Entry<unknown>[], origin: Origin | undefined, path: Path, out: Row[]): void {
  out.push({ text: `${indentOf(path)}${head} {`, from: placeOf(origin) });
  for (const { value, origin: from } of entries)
    out.push({
      text: `${indentOf(path)}    ${spell(value)}`,
      from: placeOf(from),
      value: { path: [...path, head], value },
    });
  out.push({ text: `${indentOf(path)}}`, from: "" });
}
