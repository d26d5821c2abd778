import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Log } from "../director/engine.ts";
import { explain, Fault } from "../fault.ts";
import { check, type Problem, problemsText } from "./check.ts";
import { jsonArray, jsonLines, readBody, sendJson, sendPieces, sendText } from "./http.ts";
import { METRICS_TYPE } from "./metrics/text.ts";
import { type ApiHost, openapi, type Route, routes } from "./routes.ts";

/** The control socket: HTTP/JSON for ipvsadm, lvsctl and anyone with the right to open it. */

/** Bytes of a request's body; a restore of 10 000 services with 10 dests each takes 25 MB. */
const BODY_LIMIT = 64 * 1024 * 1024;

/** Why a request is not answered. */
interface Refused {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly problems?: readonly Problem[];
  readonly headers?: Record<string, string>;
}

const isRefused = (answer: object): answer is Refused => "status" in answer && "code" in answer;

/** Not listening yet. */
export function createApi(host: ApiHost, log: Log, version: string): Server {
  const server = createServer((request, response) => {
    serve(host, version, request, response).catch((error: unknown) => failed(response, error, log));
  });
  server.on("clientError", (_error, socket) => hangUp(socket as Socket));
  return server;
}

/** Something that is not HTTP, or a client that went away in the middle. */
function hangUp(socket: Socket): void {
  if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n");
  else socket.destroy();
}

async function serve(host: ApiHost, version: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [path = "", query = ""] = splitOnce(request.url ?? "", "?");
  if (path === "/v1/openapi.json" && request.method === "GET") return sendJson(response, 200, openapi(version));
  const route = findRoute(request.method ?? "", path);
  if (isRefused(route)) return refuse(response, route);
  const input = await inputOf(route, request, query);
  if (isRefused(input)) return refuse(response, input);
  const answer = await route.answer(host, input.value);
  if ("value" in answer) return sendJson(response, 200, answer.value);
  if ("text" in answer) return sendText(response, "text/plain; charset=utf-8", answer.text);
  if ("metrics" in answer) return sendPieces(response, METRICS_TYPE, answer.metrics);
  if ("array" in answer) return sendPieces(response, "application/json", jsonArray(answer.array));
  return sendPieces(response, "application/x-ndjson", jsonLines(answer.lines));
}

function findRoute(method: string, path: string): Route | Refused {
  const there = routes.filter((route) => route.path === path);
  const route = there.find((candidate) => candidate.method === method);
  if (route !== undefined) return route;
  if (there.length === 0) return { status: 404, code: "ENOENT", message: `no such route: ${path}` };
  const allow = there.map((candidate) => candidate.method).join(", ");
  return { status: 405, code: "EOPNOTSUPP", message: `${path} takes ${allow}, not ${method}`, headers: { allow } };
}

async function inputOf(route: Route, request: IncomingMessage, query: string): Promise<{ readonly value: unknown } | Refused> {
  if (route.takes === undefined) return { value: undefined };
  if (route.takes.from === "body") return bodyOf(route.takes.schema, request);
  const key = new URLSearchParams(query).get("key");
  return key === null ? { value: undefined } : checked(route.takes.schema, key);
}

type InputSchema = NonNullable<Route["takes"]>["schema"];

async function bodyOf(schema: InputSchema, request: IncomingMessage): Promise<{ readonly value: unknown } | Refused> {
  const body = await readBody(request, BODY_LIMIT);
  if (body !== undefined) return checked(schema, body.toString());
  return { status: 413, code: "E2BIG", message: `a request has at most ${BODY_LIMIT} bytes`, headers: { connection: "close" } };
}

function checked(schema: InputSchema, json: string): { readonly value: unknown } | Refused {
  let input: unknown;
  try {
    input = JSON.parse(json);
  } catch (error) {
    return { status: 400, code: "EINVAL", message: `not JSON: ${explain(error)}` };
  }
  const result = check(schema, input);
  if ("value" in result) return result;
  const { problems, untold } = result;
  return { status: 400, code: "EINVAL", message: problemsText(problems, untold), problems };
}

function refuse(response: ServerResponse, { status, code, message, problems, headers }: Refused): void {
  sendJson(response, status, { error: { code, message, ...(problems !== undefined && { problems }) } }, headers);
}

/** An answer that broke off in the middle is cut, so that nobody takes it for whole. */
function failed(response: ServerResponse, error: unknown, log: Log): void {
  if (response.destroyed) return;
  log.error("request failed", { reason: explain(error) });
  if (response.headersSent) response.destroy();
  else sendJson(response, 500, { error: { code: error instanceof Fault ? error.code : "EIO", message: explain(error) } });
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
