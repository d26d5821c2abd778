import { closeSync, existsSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "../src/fault.ts";
import type { Host } from "./host.ts";
import type { Lab } from "./lab.ts";
import { lines, until } from "./until.ts";

/**
 * A web server on a host: "/" answers with its name, "/echo" with the client's address as seen here, "/big/…" with files; what is
 * PUT to "/put/…" it keeps.
 */
export interface Nginx {
  /** The addresses of all requests so far, in order. */
  clients(): readonly string[];
  /** Where a file that was put is kept. */
  pathOf(put: string): string;
  stop(): Promise<void>;
}

/** @param listen "10.2.0.11:8080", "[fd00:2::11]:80" */
export async function startNginx(lab: Lab<string>, host: Host, listen: readonly string[]): Promise<Nginx> {
  const directory = join(lab.directory, `nginx-${host.name}-${++started}`);
  mkdirSync(directory);
  const config = join(directory, "nginx.conf");
  writeFileSync(config, nginxConfig(host.name, directory, bigDirectory(lab), listen));
  const running = host.spawn(["nginx", "-c", config, "-e", join(directory, "error.log")]);
  const pidFile = join(directory, "nginx.pid");
  await until(`nginx on ${host.name}`, () => {
    if (!running.isRunning) throw new Fault(`start nginx on ${host.name}`, "EXIT", running.stderr.trim());
    return existsSync(pidFile);
  });
  return {
    clients: () => lines(readFileSync(join(directory, "access.log"), "utf8")),
    pathOf: (put) => join(directory, "put", put),
    stop: () => running.stop(),
  };
}

let started = 0;

/** One worker, because a lab has few processors; a thousand keep-alive requests, as nginx does by default. */
function nginxConfig(name: string, directory: string, big: string, listen: readonly string[]): string {
  return `
daemon off;
user root;
worker_processes 1;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log;
events { worker_connections 4096; }
http {
  access_log off;
  log_format client $remote_addr;
  default_type text/plain;
  sendfile on;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  server {
${listen.map((address) => `    listen ${address} backlog=4096;`).join("\n")}
    access_log ${directory}/access.log client;
    location = / { return 200 "${name}\\n"; }
    location = /echo { return 200 "$remote_addr\\n"; }
    location /big/ { alias ${big}/; }
    location /put/ { root ${directory}; dav_methods PUT; create_full_put_path on; client_max_body_size 0; }
    location /fast { access_log off; return 200 "${name}\\n"; }
  }
}
`;
}

const bigDirectory = (lab: Lab<string>): string => join(lab.directory, "big");

const MARK_EVERY = 1 << 20; // bytes; each mark is a block by itself, and a disk that is told of freed ones takes long over many

/**
 * A file for every nginx of the lab, at /big/<bytes>. Sparse, with its own position written every MiB, so that a
 * gigabyte costs little and lost or swapped pieces still change its sum.
 */
export function makeBigFile(lab: Lab<string>, bytes: number): { readonly path: string; readonly url: string } {
  mkdirSync(bigDirectory(lab), { recursive: true });
  const path = join(bigDirectory(lab), String(bytes));
  const file = openSync(path, "w");
  try {
    ftruncateSync(file, bytes);
    const mark = Buffer.alloc(8);
    for (let at = 0; at + 8 <= bytes; at += MARK_EVERY) {
      mark.writeDoubleBE(at);
      writeSync(file, mark, 0, 8, at);
    }
  } finally {
    closeSync(file);
  }
  return { path, url: `/big/${bytes}` };
}
