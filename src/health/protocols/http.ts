import { createHash } from "node:crypto";
import type { Result } from "../checker.ts";
import type { HttpVersion, Page } from "../config.ts";
import { bad, type Dialogue, good, latin1, type Turn } from "../dialogue.ts";

/** One GET of HTTP_GET or SSL_GET (spec 4.6). */

/** Head and body beyond this are too much for a check: bytes. */
const MOST = 16 << 20;

export function httpRequest({ path, host }: Pick<Page, "path" | "host">, version: HttpVersion): string {
  const close = version === "1.0" ? "" : "Connection: close\r\n";
  return `GET ${path} HTTP/${version === "1.1" ? "1.1" : "1.0"}\r\nUser-Agent: KeepAliveClient\r\n${close}Host: ${host}\r\n\r\n`;
}

export function httpDialogue(page: Page, version: HttpVersion): Dialogue {
  let received = Buffer.alloc(0);
  const chunks: Uint8Array[] = [];
  let size = 0;
  let tail = "";
  let head: Head | undefined;

  const judge = (): Result => {
    if (head === undefined) return bad("no complete HTTP response");
    return judgePage(page, head.status, bodyOf(head, received));
  };
  return {
    opening: latin1(httpRequest(page, version)),
    read(bytes): Turn {
      chunks.push(bytes);
      size += bytes.length;
      tail = (tail + Buffer.from(bytes.subarray(-4)).toString("latin1")).slice(-4);
      if (size > MOST) return { result: bad("the answer is too long") };
      if (head === undefined) {
        received = Buffer.concat(chunks);
        chunks.splice(0, chunks.length, received);
        head = readHead(received);
      }
      if (head === undefined) return {};
      if (head.status === undefined) return { result: bad("the answer is not HTTP") };
      const isWhole = head.length !== undefined && size - head.bodyAt >= head.length;
      const isEmpty = head.status === 204 || head.status === 304;
      const mayBeLastChunk = head.isChunked && tail === "\r\n\r\n";
      if (!isWhole && !isEmpty && !mayBeLastChunk) return {};
      received = Buffer.concat(chunks);
      const isCut = mayBeLastChunk && !unchunk(received.subarray(head.bodyAt)).isWhole;
      return isCut ? {} : { result: judge() };
    },
    ended() {
      received = Buffer.concat(chunks);
      return judge();
    },
  };
}

interface Head {
  /** Undefined: this is no HTTP. */
  readonly status: number | undefined;
  readonly length: number | undefined;
  readonly isChunked: boolean;
  readonly bodyAt: number;
}

function readHead(bytes: Buffer): Head | undefined {
  const crlf = bytes.indexOf("\r\n\r\n");
  const lf = bytes.indexOf("\n\n");
  const isLf = crlf < 0 || (lf >= 0 && lf < crlf);
  const end = isLf ? lf : crlf;
  if (end < 0) return undefined;
  const [first = "", ...fields] = bytes.toString("latin1", 0, end).split(/\r?\n/);
  const status = /^HTTP\/\d+(?:\.\d+)? +(\d{3})(?: |$)/.exec(first)?.[1];
  const field = (name: string): string | undefined => {
    const found = fields.find((line) => line.toLowerCase().startsWith(`${name}:`));
    return found?.slice(name.length + 1).trim();
  };
  const length = field("content-length");
  const isChunked = /\bchunked$/i.test(field("transfer-encoding") ?? "");
  return {
    status: status === undefined ? undefined : Number(status),
    length: !isChunked && length !== undefined && /^\d+$/.test(length) ? Number(length) : undefined,
    isChunked,
    bodyAt: end + (isLf ? 2 : 4),
  };
}

/** What is beyond Content-Length does not count. keepalived leaves chunks as they are; a digest is of the page without them. */
function bodyOf(head: Head, bytes: Buffer): Buffer {
  const body = bytes.subarray(head.bodyAt, head.length === undefined ? undefined : head.bodyAt + head.length);
  return head.isChunked ? unchunk(body).body : body;
}

/** `isWhole`: the empty chunk that ends the body is there (RFC 9112 section 7.1). */
function unchunk(bytes: Buffer): { body: Buffer; isWhole: boolean } {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const line = bytes.indexOf("\r\n", at);
    const size = line < 0 ? Number.NaN : Number.parseInt(bytes.toString("latin1", at, line), 16);
    if (!(size > 0)) return { body: Buffer.concat(parts), isWhole: size === 0 };
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}

export function judgePage(page: Page, status: number | undefined, body: Buffer): Result {
  if (status === undefined || !page.statuses.some(([low, high]) => status >= low && status <= high))
    return bad(`HTTP status code ${status}`);
  if (page.digests.length > 0) {
    const digest = createHash("md5").update(body).digest("hex");
    if (!page.digests.includes(digest)) return bad(`MD5 digest ${digest}`);
  }
  return page.regex === undefined || hasMatch(page.regex, body) !== page.regex.not ? good : bad("regex");
}

/** Bytes are matched as Latin-1 characters, so that offsets are offsets of bytes. */
function hasMatch({ source, flags, minOffset, maxOffset }: NonNullable<Page["regex"]>, body: Buffer): boolean {
  const regex = new RegExp(source, `${flags}g`);
  regex.lastIndex = minOffset;
  const match = regex.exec(body.toString("latin1"));
  return match !== null && match.index <= (maxOffset ?? body.length);
}
