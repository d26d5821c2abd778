import { commentStart, splitPiece, type Word } from "./tokens.ts";

/**
 * `lvsctl config fmt`: the text of one file in its canonical form. Comments, conditions, definitions and includes stay;
 * one statement to a line, four spaces to a block, one empty line at most. Reading the result gives the same values.
 */
export function formatConfig(text: string): string {
  const printer = new Printer();
  for (const raw of text.split("\n")) printer.line(raw.endsWith("\r") ? raw.slice(0, -1) : raw);
  return printer.done();
}

const INDENT = "    ";
/** Blocks within blocks that are set in; no file has a fifth. */
const DEEPEST = 20;
const indentOf = (depth: number): string => INDENT.repeat(Math.min(Math.max(0, depth), DEEPEST));

class Printer {
  private readonly out: string[] = [];
  private depth = 0;
  /** Depth inside a multi-line definition; undefined outside. */
  private inner: number | undefined;

  line(raw: string): void {
    const text = raw.trim();
    if (this.inner !== undefined) this.definitionLine(text);
    else if (text === "") this.blank();
    else if (/^\$[A-Za-z_]\w*=.*\\$/s.test(text)) this.startDefinition(text);
    else if (/^\$[A-Za-z_]\w*=|^include[rmwba]?\s/.test(text)) this.put(text);
    else this.statement(text);
  }

  done(): string {
    while (this.out.at(-1) === "") this.out.pop();
    return this.out.length === 0 ? "" : `${this.out.join("\n")}\n`;
  }

  private put(text: string, depth = this.depth): void {
    this.out.push(indentOf(depth) + text);
  }

  private blank(): void {
    const last = this.out.at(-1);
    if (last !== undefined && last !== "" && !last.endsWith("{")) this.out.push("");
  }

  private startDefinition(text: string): void {
    this.put(text);
    this.inner = 1;
  }

  /** The lines of a definition keep their words; only their indent is set. */
  private definitionLine(text: string): void {
    const more = text.endsWith("\\");
    const body = more ? text.slice(0, -1).trimEnd() : text;
    const closes = /^\}/.test(body) ? 1 : 0;
    this.inner = Math.max(1, (this.inner ?? 1) - closes);
    this.out.push(body === "" && !more ? "" : `${indentOf(this.depth + this.inner)}${body}${more ? " \\" : ""}`);
    this.inner = more ? Math.max(1, this.inner + braces(body) + closes) : undefined;
  }

  private statement(text: string): void {
    const end = commentStart(text);
    const comment = text.slice(end).trimEnd();
    const body = text.slice(0, end).trim();
    if (body === "") this.put(comment);
    else if (/^[@~]/.test(body) || /\$\{[^}]*\s[^}]*\}/.test(body)) this.verbatim(body, comment);
    else this.split(body, comment);
  }

  /** Conditions and generators belong to their line: it is not split. */
  private verbatim(body: string, comment: string): void {
    const change = braces(body);
    if (change < 0) this.depth = Math.max(0, this.depth + change);
    this.put(comment === "" ? body : `${body} ${comment}`);
    if (change > 0) this.depth += change;
  }

  /** One line for each statement; a comment goes with the first. */
  private split(body: string, comment: string): void {
    let rest = comment === "" ? "" : ` ${comment}`;
    const put = (text: string): void => {
      this.put(text + rest);
      rest = "";
    };
    let at = 0;
    while (at < body.length) {
      const piece = splitPiece(body, at, body.length);
      if (piece.unmatched > 0) {
        put(body.slice(at).trim());
        return;
      }
      const words = piece.words.map((word) => spell(body, word)).join(" ");
      const brace = piece.brace < 0 ? "" : body[piece.brace]!;
      if (brace === "{") {
        this.open(words, put);
      } else {
        if (words !== "") put(words);
        if (brace === "}") this.close(put);
      }
      at = piece.brace < 0 ? body.length : piece.brace + 1;
    }
  }

  private open(words: string, put: (text: string) => void): void {
    const last = this.out.at(-1);
    // A brace on a line of its own joins its keyword, if nothing but that stands there.
    const joins = words === "" && last !== undefined && /^\s*[\w-]/.test(last) && !/[{}#!\\$@]/.test(last);
    if (joins) this.out[this.out.length - 1] = `${last} {`;
    else put(words === "" ? "{" : `${words} {`);
    this.depth++;
  }

  private close(put: (text: string) => void): void {
    this.depth = Math.max(0, this.depth - 1);
    while (this.out.at(-1) === "") this.out.pop();
    put("}");
  }
}

/** The word as it is written, with its quotes and escapes. */
function spell(text: string, word: Word): string {
  if (word.quoted) return `"${word.text}"`;
  const end = word.column - 1 + word.text.length;
  const raw = text.slice(word.column - 1, end);
  return raw === word.text ? raw : word.text.replace(/[#!]/g, "\\$&");
}

/** How much deeper the text ends than it starts. */
function braces(text: string): number {
  let depth = 0;
  let at = 0;
  const end = commentStart(text);
  while (at < end) {
    const piece = splitPiece(text, at, end);
    if (piece.brace < 0) return depth;
    depth += text[piece.brace] === "{" ? 1 : -1;
    at = piece.brace + 1;
  }
  return depth;
}
