import type { KeepalivedConfig } from "./keywords.ts";
import { root } from "./keywords.ts";
import type { Origin } from "./source.ts";
import type { Entry, Placed, Setting, Settings } from "./table.ts";

/** The effective configuration: every value with the place it comes from, or "default". */

export interface ShowOptions {
  /** Also what nobody wrote. */
  readonly defaults?: boolean;
}

export function showConfig(config: KeepalivedConfig, options: ShowOptions = {}): string {
  const out: Row[] = [];
  showBlock(root.settings as Settings, config as unknown as Shown, 0, options, out);
  const width = Math.min(60, Math.max(0, ...out.map((row) => row.text.length)));
  return (
    out.map(({ text, from }) => (from === "" ? text : `${text.padEnd(width)}  # ${from}`)).join("\n") +
    (out.length > 0 ? "\n" : "")
  );
}

interface Row {
  readonly text: string;
  readonly from: string;
}
type Shown = Placed & Readonly<Record<string, unknown>>;

const placeOf = (origin: Origin | undefined): string => (origin === undefined ? "default" : `${origin.file}:${origin.line}`);

function showBlock(settings: Settings, value: Shown, depth: number, options: ShowOptions, out: Row[]): void {
  for (const [field, setting] of Object.entries(settings)) {
    const origin = value.origins[field];
    if (origin !== undefined || (options.defaults === true && setting.reader.kind === "value")) {
      showSetting(setting, value[field], origin, depth, options, out);
    }
  }
}

function showSetting(
  setting: Setting<unknown>,
  value: unknown,
  origin: Origin | undefined,
  depth: number,
  options: ShowOptions,
  out: Row[],
): void {
  const indent = "    ".repeat(depth);
  const put = (text: string, from: Origin | undefined): void => {
    out.push({ text: indent + text, from: placeOf(from) });
  };
  const { reader } = setting;
  if (reader.kind === "block") {
    const blocks = (reader.many ? value : [value]) as readonly Shown[];
    for (const inner of blocks) {
      put(`${[setting.word, plain(inner.header)].join(" ").trim()} {`, inner.origin);
      showBlock(reader.spec.settings, inner, depth + 1, options, out);
      out.push({ text: `${indent}}`, from: "" });
    }
  } else if (reader.kind === "entries") showEntries(`${indent}${setting.word}`, value as readonly Entry<unknown>[], origin, out);
  else if (reader.kind === "group") {
    for (const group of value as readonly { header: unknown; origin: Origin; entries: readonly Entry<unknown>[] }[]) {
      showEntries(`${indent}${setting.word} ${plain(group.header)}`, group.entries, group.origin, out);
    }
  } else if (reader.many) {
    for (const entry of value as readonly Entry<unknown>[]) put(`${setting.word} ${plain(entry.value)}`, entry.origin);
  } else {
    const shown = value === undefined ? (setting.standard ?? "") : plain(value);
    if (value !== undefined || shown !== "") put(`${setting.word} ${shown}`.trim(), origin);
  }
}

function showEntries(head: string, entries: readonly Entry<unknown>[], origin: Origin | undefined, out: Row[]): void {
  const indent = /^ */.exec(head)![0];
  out.push({ text: `${head} {`, from: placeOf(origin) });
  for (const entry of entries) out.push({ text: `${indent}    ${plain(entry.value)}`, from: placeOf(entry.origin) });
  out.push({ text: `${indent}}`, from: "" });
}

/** A value on one line. */
function plain(value: unknown): string {
  if (value === undefined) return "";
  if (typeof value === "boolean") return value ? "on" : "off";
  if (Array.isArray(value)) return value.map(plain).join(" ");
  if (typeof value !== "object" || value === null) return String(value);
  return Object.entries(value)
    .filter(([, v]) => v !== undefined && !(Array.isArray(v) && v.length === 0) && !isEmptyObject(v))
    .map(([k, v]) => `${k}=${typeof v === "object" ? `(${plain(v)})` : plain(v)}`)
    .join(" ");
}

const isEmptyObject = (v: unknown): boolean => typeof v === "object" && v !== null && Object.keys(v).length === 0;
