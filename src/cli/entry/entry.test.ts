import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Conn } from "../../director/director.ts";
import { ip } from "../../net/ip.ts";
import { type Fake, fakeClient, serveFake } from "../testing.ts";

/** The commands as a shell starts them: bundled, each a process, over the control socket. */

const commands = ["ipvsadm", "ipvsadm-save", "ipvsadm-restore"];
let folder: string;
let fake: Fake;
let server: Server;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lvsd-entry-"));
  fake = fakeClient();
  server = await serveFake(fake, join(folder, "sock"));
  await build({
    entryPoints: commands.map((name) => fileURLToPath(new URL(`${name}.ts`, import.meta.url))),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    logLevel: "silent",
  });
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

const start = (socket: string, name: string, ...args: string[]): ChildProcess =>
  spawn(process.execPath, [join(folder, `${name}.mjs`), ...args], { env: { ...process.env, LVSD_SOCKET: join(folder, socket) } });

async function ended(child: ChildProcess, stdin = ""): Promise<{ stdout: string; stderr: string; exit: number | null }> {
  let stdout = "";
  let stderr = "";
  child.stdout!.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  child.stdin!.end(stdin);
  const exit = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { stdout, stderr, exit };
}

test("a bundle needs nothing but node", () => {
  for (const name of commands) {
    const imports = [...readFileSync(join(folder, `${name}.mjs`), "utf8").matchAll(/^import .*? from "(.*?)"/gm)].map(
      (found) => found[1]!,
    );
    expect(imports.filter((from) => !from.startsWith("node:"))).toEqual([]);
  }
});

test("rules go in, a listing and the saved rules come out", async () => {
  const rules = "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.0.1.1:8080 -m -w 3\n";
  expect(await ended(start("sock", "ipvsadm-restore"), `# saved\n${rules}`)).toEqual({ stdout: "", stderr: "", exit: 0 });
  expect(await ended(start("sock", "ipvsadm-save", "-n"))).toEqual({ stdout: rules, stderr: "", exit: 0 });
  expect(await ended(start("sock", "ipvsadm", "-Ln"))).toEqual({
    stdout: `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.0.0.1:80 rr
  -> 10.0.1.1:8080                Masq    3      0          0         
`,
    stderr: "",
    exit: 0,
  });
});

test("refusals and illegal options leave with the original's exit codes", async () => {
  expect(await ended(start("sock", "ipvsadm", "-D", "-t", "10.0.0.9:80"))).toEqual({
    stdout: "",
    stderr: "No such service\n",
    exit: 255,
  });
  expect(await ended(start("sock", "ipvsadm", "-Z", "-n"))).toMatchObject({ stdout: "", exit: 2 });
  expect(await ended(start("nobody", "ipvsadm", "-Ln"))).toEqual({
    stdout: "",
    stderr: `Can't initialize ipvs: No such file or directory\nIs lvsd running in this network namespace? (socket ${join(folder, "nobody")})\n`,
    exit: 2,
  });
});

test("all of a long listing comes out, and a reader that leaves ends it in silence", { timeout: 30_000 }, async () => {
  const conn: Conn = {
    protocol: "tcp",
    client: { addr: ip("10.1.0.3"), port: 2009 },
    virtual: { addr: ip("10.1.0.100"), port: 80 },
    dest: { addr: ip("10.2.0.11"), port: 8080 },
    method: "nat",
    state: "ESTABLISHED",
    expiresIn: 898,
    active: true,
    template: false,
    fwmark: 0,
  };
  fake.connList = Array.from({ length: 50_000 }, () => conn);
  const { stdout, exit } = await ended(start("sock", "ipvsadm", "-Lnc"));
  expect([stdout.split("\n").length, exit]).toEqual([50_003, 0]);
  const left = start("sock", "ipvsadm", "-Lnc");
  left.stdout!.once("data", () => left.stdout!.destroy());
  let stderr = "";
  left.stderr!.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve) => left.on("exit", resolve));
  expect([code, stderr]).toEqual([141, ""]);
});
