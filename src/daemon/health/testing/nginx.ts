import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A real web server for tests. */
export interface Nginx {
  stop(): Promise<void>;
}

/**
 * @param servers the inside of http {}
 * @param port one that is listened on, of 127.0.0.1, to know when it is there; undefined: it is in another namespace
 * @param prefix what stands before the command: ["nsenter", …]
 */
export async function startNginx(servers: string, port: number | undefined, prefix: readonly string[] = []): Promise<Nginx> {
  const dir = mkdtempSync(join(tmpdir(), `lvsd-nginx-${process.pid}-`));
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((word) => `${word}_temp_path ${dir}/${word};`).join(" ");
  writeFileSync(
    join(dir, "nginx.conf"),
    `daemon off; master_process off; pid ${dir}/pid; error_log ${dir}/error.log; worker_rlimit_core 0;
     events { worker_connections 512; }
     http { access_log off; ${paths} ${servers} }`,
  );
  const [command = "", ...args] = [...prefix, "nginx", "-p", dir, "-c", join(dir, "nginx.conf"), "-e", join(dir, "error.log")];
  const child: ChildProcess = spawn(command, args, { stdio: "ignore" });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  for (let i = 0; i < 100 && !(port === undefined ? i > 10 : await answers(port)); i++)
    await new Promise((done) => setTimeout(done, 30));
  return {
    async stop() {
      child.kill("SIGKILL");
      await ended;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
