import { statSync } from "node:fs";
import { type IncomingMessage, type RequestOptions, request } from "node:http";
import type { Conn, DirectorInfo, Operation, Refusal, Service, ServiceKey, SyncDaemon, Timeouts } from "../director/director.ts";
import { Fault } from "../fault.ts";

/** The lvsd of this network namespace, as the commands see it. Every call may throw a Fault; NoDaemon when nobody answers. */
export interface Client {
  info(): Promise<DirectorInfo>;
  /** In the order of the table; with a key that service or none. */
  services(key?: ServiceKey): Promise<readonly Service[]>;
  /** In batches as they arrive: there may be a million. */
  conns(): AsyncIterable<readonly Conn[]>;
  timeouts(): Promise<Timeouts>;
  daemons(): Promise<readonly SyncDaemon[]>;
  settings(): Promise<Readonly<Record<string, string>>>;
  /** All or none of them; [] when done. */
  apply(operations: readonly Operation[]): Promise<readonly Refusal[]>;
}

/** No lvsd answers at the socket: its code is the errno of connect(2). */
export class NoDaemon extends Fault {
  readonly path: string;

  constructor(path: string, code: string, cause: unknown) {
    super(`connect to ${path}`, code, code, cause);
    this.path = path;
  }
}

/** $LVSD_SOCKET, or the socket that belongs to the network namespace of this process. */
export function socketPath(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const given = env.LVSD_SOCKET;
  return given !== undefined && given !== "" ? given : `/run/lvsd/${statSync("/proc/self/ns/net").ino}.sock`;
}

export function connect(path: string = socketPath()): Client {
  const get = <T>(resource: string) => ask<T>(path, { method: "GET", path: `/v1/${resource}` });
  return {
    info: () => get("info"),
    services: (key) => get(key === undefined ? "services" : `services?key=${encodeURIComponent(JSON.stringify(key))}`),
    conns: () => records<Conn>(path, "/v1/conns"),
    timeouts: () => get("timeouts"),
    daemons: () => get("daemons"),
    settings: () => get("settings"),
    async apply(operations) {
      const body = JSON.stringify({ operations });
      const { refusals } = await ask<{ refusals: readonly Refusal[] }>(path, { method: "POST", path: "/v1/operations" }, body);
      return refusals;
    },
  };
}

/** A resource of the control socket's API that only one command wants. */
export async function ask<T>(path: string, options: RequestOptions, body?: string): Promise<T> {
  return JSON.parse(await askText(path, options, body)) as T;
}

/** The same of one that is plain text. */
export const askText = async (path: string, options: RequestOptions, body?: string): Promise<string> =>
  textOf(await send(path, options, body));

/** One JSON value a line, in batches of what one read brought. */
async function* records<T>(path: string, resource: string): AsyncIterable<readonly T[]> {
  const response = await send(path, { method: "GET", path: resource });
  let unread = "";
  for await (const chunk of chunks(response)) {
    const end = chunk.lastIndexOf("\n");
    if (end < 0) {
      unread += chunk;
      continue;
    }
    const lines = (unread + chunk.slice(0, end)).split("\n");
    unread = chunk.slice(end + 1);
    yield lines.filter((line) => line !== "").map((line) => JSON.parse(line) as T);
  }
  if (unread !== "") yield [JSON.parse(unread) as T];
}

/** The response to a request that was granted. */
async function send(path: string, options: RequestOptions, body?: string): Promise<IncomingMessage> {
  const headers = body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const asked = request({ ...options, headers, socketPath: path, agent: false }, resolve);
    asked.on("error", (error: NodeJS.ErrnoException) => reject(new NoDaemon(path, error.code ?? "EIO", error)));
    asked.end(body);
  });
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return response;
  throw faultOf(`${options.method} ${options.path}`, status, await textOf(response));
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of chunks(response)) text += chunk;
  return text;
}

/** A daemon that dies in the middle of an answer is a Fault too. */
async function* chunks(response: IncomingMessage): AsyncIterable<string> {
  response.setEncoding("utf8");
  try {
    yield* response as AsyncIterable<string>;
  } catch (cause) {
    throw new Fault("read the answer of lvsd", (cause as NodeJS.ErrnoException).code ?? "EIO", "it broke off", cause);
  }
}

/** The daemon's own words: {error: {code, message}}. */
function faultOf(op: string, status: number, body: string): Fault {
  try {
    const { error } = JSON.parse(body) as { error: { code: string; message: string } };
    return new Fault(op, error.code, error.message);
  } catch (cause) {
    return new Fault(op, "EIO", `status ${status}`, cause);
  }
}
