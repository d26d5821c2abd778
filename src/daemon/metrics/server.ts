import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Log } from "../../director/engine.ts";
import { explain, Fault } from "../../fault.ts";
import { sendPieces } from "../http.ts";
import type { Address } from "./address.ts";
import { METRICS_TYPE } from "./text.ts";

/** GET /metrics over TCP, for those who may not open the control socket. */

/** A scrape is one short request: whoever is slower, or one of too many, is hung up on. */
const LIMITS = { headersTimeout: 5000, requestTimeout: 5000, maxHeaderSize: 8192 } as const;
const MOST = 32;
const LINGER = 30_000; // ms that an answer may take, and a connection may rest

/** Listens. Throws a Fault when it cannot. */
export async function serveMetrics(
  { host, port }: Address,
  metrics: () => Promise<Iterable<string>>,
  log: Log,
): Promise<{ readonly port: number; close(): void }> {
  const server = createServer({ ...LIMITS, connectionsCheckingInterval: 1000 }, (request, response) => {
    answer(request, response, metrics).catch((error: unknown) => {
      if (response.destroyed) return;
      log.error("scrape failed", { reason: explain(error) });
      response.destroy();
    });
  });
  server.maxConnections = MOST;
  server.setTimeout(LINGER);
  server.on("clientError", (_error, socket) => hangUp(socket as Socket));
  await listen(server, host, port);
  server.on("error", (error) => log.error("metrics", { reason: error.message }));
  const at = server.address();
  const bound = at !== null && typeof at === "object" ? at.port : port;
  log.info("metrics", { address: host === "" ? `*:${bound}` : host.includes(":") ? `[${host}]:${bound}` : `${host}:${bound}` });
  return {
    port: bound,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

const listen = (server: Server, host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(new Fault("listen", error.code ?? "EIO", `--metrics ${host}:${port}`, error)),
    );
    server.listen({ port, ...(host === "" ? {} : { host }) }, () => {
      server.removeAllListeners("error");
      resolve();
    });
  });

function hangUp(socket: Socket): void {
  if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
  else socket.destroy();
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  metrics: () => Promise<Iterable<string>>,
): Promise<void> {
  request.resume(); // a body is not looked at
  const path = (request.url ?? "").split("?")[0];
  if (path !== "/metrics") return refuse(response, 404, "there is /metrics\n");
  if (request.method !== "GET" && request.method !== "HEAD") return refuse(response, 405, "GET\n", { allow: "GET, HEAD" });
  if (request.method === "HEAD") {
    response.writeHead(200, { "content-type": METRICS_TYPE });
    response.end();
    return;
  }
  await sendPieces(response, METRICS_TYPE, await metrics());
}

function refuse(response: ServerResponse, status: number, text: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8", ...headers });
  response.end(text);
}
