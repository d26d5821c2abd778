import { defaultOf, notesOf } from "./docs.ts";
import { root } from "./keywords.ts";
import { nearest } from "./source.ts";
import type { Setting, Settings } from "./table.ts";

/** What the table says about a word, wherever it may stand. */

export interface WordDoc {
  /** The blocks around it, from the root: ["vrrp_instance", "authentication"]. */
  readonly path: readonly string[];
  readonly word: string;
  readonly aliases: readonly string[];
  readonly usage: string;
  /** "" when there is none. */
  readonly standard: string;
  readonly meaning: string;
  /** "Since 2.3.0.", "Deprecated, use retry." */
  readonly notes: readonly string[];
  /** The words of a block. */
  readonly words: readonly { readonly word: string; readonly meaning: string }[];
}

/** @param query a word, or the end of a path: "priority", "vrrp_instance priority", "TCP_CHECK.retry" */
export function explainWord(query: string): readonly WordDoc[] {
  const wanted = query.split(/[\s.›]+/).filter((part) => part !== "");
  const word = wanted.pop() ?? "";
  return everyWord().filter(
    ({ path, word: own, aliases }) => (own === word || aliases.includes(word)) && wanted.every((part) => path.includes(part)),
  );
}

/** The word that was probably meant. */
export function nearestWord(word: string): string | undefined {
  const known = everyWord().flatMap((doc) => [doc.word, ...doc.aliases]);
  return known.find((other) => other.toLowerCase() === word.toLowerCase()) ?? nearest(word, known);
}

/** The text for people: one paragraph for each meaning; equal ones in several blocks are told once. */
export function wordText(docs: readonly WordDoc[]): string {
  const paragraphs = new Map<string, { readonly doc: WordDoc; readonly places: string[] }>();
  for (const doc of docs) {
    const { path, ...rest } = doc;
    const key = JSON.stringify(rest);
    const place = path.length === 0 ? "the root of the file" : path.join(" › ");
    const known = paragraphs.get(key);
    if (known === undefined) paragraphs.set(key, { doc, places: [place] });
    else known.places.push(place);
  }
  return [...paragraphs.values()].map(({ doc, places }) => paragraph(doc, places)).join("\n");
}

function paragraph(doc: WordDoc, places: readonly string[]): string {
  const lines = [
    `${doc.word}${doc.usage === "" ? "" : ` ${doc.usage}`}`,
    `  ${[doc.meaning, ...doc.notes].join(" ")}`,
    ...(doc.standard === "" ? [] : [`  default  ${doc.standard}`]),
    ...(doc.aliases.length === 0 ? [] : [`  also     ${doc.aliases.join(", ")}`]),
    ...places.map((place, i) => `${i === 0 ? "  in       " : "           "}${place}`),
  ];
  const width = Math.max(0, ...doc.words.map(({ word }) => word.length));
  const inside = doc.words.map(
    ({ word, meaning }, i) => `${i === 0 ? "  words    " : "           "}${word.padEnd(width)}  ${meaning}`,
  );
  return [...lines, ...inside].map((line) => `${line}\n`).join("");
}

/** The blocks that a word may stand in, "" for the root. */
export const homesOf = (word: string): readonly string[] => [...new Set(explainWord(word).map(({ path }) => path.at(-1) ?? ""))];

let all: readonly WordDoc[] | undefined;

function everyWord(): readonly WordDoc[] {
  all ??= wordsOf(root.settings as Settings, []);
  return all;
}

function wordsOf(settings: Settings, path: readonly string[]): WordDoc[] {
  return Object.values(settings).flatMap((setting) => [docOf(setting, path), ...inside(setting, path)]);
}

function inside({ word, reader }: Setting<unknown>, path: readonly string[]): WordDoc[] {
  return reader.kind === "block" ? wordsOf(reader.spec.settings, [...path, word]) : [];
}

function docOf(setting: Setting<unknown>, path: readonly string[]): WordDoc {
  const { reader } = setting;
  const words = reader.kind === "block" ? Object.values(reader.spec.settings) : [];
  return {
    path,
    word: setting.word,
    aliases: setting.aliases ?? [],
    usage: setting.usage,
    standard: defaultOf(setting),
    meaning: setting.doc,
    notes: notesOf(setting),
    words: words.map(({ word, doc }) => ({ word, meaning: doc })),
  };
}
