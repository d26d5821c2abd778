import type { IncomingMessage, ServerResponse } from "node:http";

/** What the control socket needs of HTTP beyond node:http: bodies with a limit, and answers of any length. */

/** The longest stretch without a turn for others while an answer is written, in ms. */
const STRETCH = 5;
/** Characters of one chunk of a long answer. */
const CHUNK = 65_536;
/** Pieces between two looks at the clock. */
const BETWEEN_LOOKS = 32;

/** The whole body; undefined when it is longer than `limit` bytes, and then the rest is not read. */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let length = 0;
    request.on("data", (part: Buffer) => {
      length += part.length;
      if (length > limit) {
        request.pause();
        resolve(undefined);
      } else parts.push(part);
    });
    request.on("end", () => resolve(Buffer.concat(parts)));
    request.on("error", reject);
    request.on("close", () => reject(new Error("the client hung up")));
  });
}

export function sendJson(response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}): void {
  const text = `${JSON.stringify(value)}\n`;
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text), ...headers });
  response.end(text);
}

export function sendText(response: ServerResponse, type: string, text: string): void {
  response.writeHead(200, { "content-type": type, "content-length": Buffer.byteLength(text) });
  response.end(text);
}

/**
 * Writes an answer piece by piece, as fast as the client reads: nothing is piled up, others get their turn every few
 * milliseconds, and a client that hangs up ends it (and the iteration with it).
 */
export async function sendPieces(response: ServerResponse, type: string, pieces: Iterable<string>): Promise<void> {
  response.writeHead(200, { "content-type": type });
  const rest = pieces[Symbol.iterator]();
  let chunk = nextChunk(rest);
  while (!chunk.last && !response.destroyed) {
    if (!response.write(chunk.text)) await drained(response);
    await turn(); // a fast client drains without one
    if (!response.destroyed) chunk = nextChunk(rest);
  }
  if (response.destroyed) rest.return?.();
  else response.end(chunk.text);
}

function nextChunk(pieces: Iterator<string>): { readonly text: string; readonly last: boolean } {
  const until = performance.now() + STRETCH;
  let text = "";
  for (let n = 1; text.length < CHUNK; n++) {
    const next = pieces.next();
    if (next.done === true) return { text, last: true };
    text += next.value;
    if (n % BETWEEN_LOOKS === 0 && performance.now() > until) break;
  }
  return { text, last: false };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The client has read what was written, or is gone. */
const drained = (response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    if (response.destroyed) resolve();
    else response.on("drain", done).on("close", done);
  });

/** One JSON value per line. */
export function* jsonLines(values: Iterable<unknown>): Generator<string> {
  for (const value of values) yield `${JSON.stringify(value)}\n`;
}

/** One JSON array. */
export function* jsonArray(values: Iterable<unknown>): Generator<string> {
  let before = "[";
  for (const value of values) {
    yield before + JSON.stringify(value);
    before = ",\n";
  }
  yield before === "[" ? "[]\n" : "]\n";
}
