import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * Transcripts: commands and what they print, one session a file, each from an empty table.
 *
 *     # a remark
 *     $ ipvsadm -R
 *     < -A -t 10.0.0.1:80        a line of standard input
 *     a line of standard output
 *     2> a line of standard error
 *     = 255                      the exit code, when it is not 0
 *
 * A file that begins with "# Alone:" runs each command from the table of `aloneRules` instead.
 * Words may stand in single quotes. Files whose names begin with `lvsd-` tell of lvsd's own ways, all others were recorded
 * from ipvsadm 1.31 on a kernel with IPVS.
 */

export interface Step {
  readonly words: readonly string[];
  readonly stdin: string;
}

export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: number;
}

export interface Entry {
  /** Remarks and blank lines before the step. */
  readonly remarks: readonly string[];
  readonly step: Step;
  readonly outcome: Outcome;
}

export const aloneRules = "-A -t 10.0.0.1:80\n-a -t 10.0.0.1:80 -r 10.0.1.1 -m\n";
export const isAlone = (entries: readonly Entry[]): boolean => entries[0]?.remarks[0]?.startsWith("# Alone:") ?? false;

const folder = fileURLToPath(new URL("transcripts/", import.meta.url));
export const transcriptPath = (name: string): string => `${folder}${name}`;
export const transcriptNames = (): string[] => readdirSync(folder).filter((name) => name.endsWith(".txt"));
export const readTranscript = (name: string): Entry[] => parseTranscript(readFileSync(transcriptPath(name), "utf8"));

export function parseTranscript(text: string): Entry[] {
  const entries: Entry[] = [];
  let remarks: string[] = [];
  let entry: { words: string[]; stdin: string; stdout: string; stderr: string; exit: number } | undefined;
  const close = () => {
    if (entry === undefined) return;
    const { words, stdin, ...outcome } = entry;
    entries.push({ remarks, step: { words, stdin }, outcome });
    remarks = [];
    entry = undefined;
  };
  for (const line of text.replace(/\n$/, "").split("\n")) {
    if (line.startsWith("$ ")) {
      close();
      entry = { words: splitWords(line.slice(2)), stdin: "", stdout: "", stderr: "", exit: 0 };
    } else if (line === "" || line.startsWith("# ")) {
      close();
      remarks.push(line);
    } else if (entry === undefined) throw new SyntaxError(`no command before: ${line}`);
    else if (line === "<" || line.startsWith("< ")) entry.stdin += `${line.slice(2)}\n`;
    else if (line === "2>" || line.startsWith("2> ")) entry.stderr += `${line.slice(3)}\n`;
    else if (line.startsWith("= ")) entry.exit = Number(line.slice(2));
    else entry.stdout += `${line}\n`;
  }
  close();
  return entries;
}

export function formatTranscript(entries: readonly Entry[]): string {
  return `${entries
    .flatMap(({ remarks, step, outcome }) => [
      ...remarks,
      `$ ${step.words.map(quoteWord).join(" ")}`,
      ...marked("< ", step.stdin),
      ...marked("", outcome.stdout),
      ...marked("2> ", outcome.stderr),
      ...(outcome.exit === 0 ? [] : [`= ${outcome.exit}`]),
    ])
    .join("\n")}\n`;
}

/** The lines of a text behind a mark; an empty line has the mark without its blank. */
function marked(mark: string, text: string): string[] {
  if (text === "") return [];
  const lines = text.replace(/\n$/, "").split("\n");
  return lines.map((line) => (line === "" ? mark.trimEnd() : mark + line));
}

const splitWords = (text: string): string[] => [...text.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare!);
const quoteWord = (word: string): string => (/^[^\s'"]+$/.test(word) ? word : `'${word}'`);
