import { execFileSync } from "node:child_process";
import { createWriteStream, existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { finished } from "node:stream/promises";

/**
 * The file system that the other kernel begins with and keeps: a cpio archive ("newc", Documentation/driver-api/early-userspace of
 * the kernel) of this machine's node and tools with their libraries, the suite, the BPF objects, and modules.
 */

const TOOLS = ["sh", "mount", "insmod", "ip", "sysctl", "stty", "sync", "sleep"];
/** Loaded while running, so that no tool's libraries need to name it. */
const LIBRARIES = ["libbpf.so.1"];
const PACKAGES = ["koffi", "@koromix"];
const SEARCH = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** @param modules .ko files; @param files of the checkout, by their path in it */
export async function writeInitramfs(to: string, modules: readonly string[], files: readonly string[]): Promise<void> {
  const programs = [...TOOLS.map(toolPath), process.execPath];
  const named = [...programs.map((path) => [join("usr/bin", basename(path)), path] as const)];
  const content = new Map<string, string>([
    ...named,
    ["usr/bin/node", process.execPath],
    ["bin/sh", toolPath("sh")],
    ["init", "kernels/init"],
    ...libraries([...programs, ...LIBRARIES.map(libraryPath), ...koffiBinaries()]).map((path) => [path.slice(1), path] as const),
    ...modules.map((path) => [join("modules", basename(path)), path] as const),
    ...[...files, ...PACKAGES.flatMap((name) => within(join("node_modules", name)))].map(
      (path) => [join("lvsd", path), path] as const,
    ),
  ]);
  const folders = new Set<string>(["proc", "sys", "dev", "run", "tmp", "root", ...[...content.keys()].flatMap(above)]);
  const out = createWriteStream(to);
  for (const folder of [...folders].sort()) out.write(entry(folder, 0o040755, Buffer.alloc(0)));
  for (const [path, source] of content) {
    out.write(entry(path, 0o100755, readFileSync(source)));
  }
  out.end(entry("TRAILER!!!", 0, Buffer.alloc(0)));
  await finished(out);
}

let inode = 0;

/** Thirteen numbers of eight hex digits, the name, the bytes; each part begins at a multiple of four. */
function entry(name: string, mode: number, data: Buffer): Buffer {
  const numbers = [++inode, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length + 1, 0];
  const head = `070701${numbers.map((n) => n.toString(16).padStart(8, "0")).join("")}${name}\0`;
  return Buffer.concat([padded(Buffer.from(head, "latin1")), padded(data)]);
}

const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);

function above(path: string): string[] {
  const folder = dirname(path);
  return folder === "." ? [] : [...above(folder), folder];
}

function toolPath(name: string): string {
  const path = SEARCH.map((folder) => join(folder, name)).find((each) => existsSync(each));
  if (path === undefined) throw new Error(`${name} is missing on this machine`);
  return path;
}

/** The libraries of all of these, and those among them that are libraries themselves. */
function libraries(binaries: readonly string[]): string[] {
  const found = new Set(binaries.filter((path) => path.includes(".so")));
  for (const path of binaries) for (const [, library] of ldd(path).matchAll(/(?:=> )?(\/\S+) \(0x/g)) found.add(library!);
  return [...found];
}

const ldd = (path: string): string => execFileSync("ldd", [realpathSync(path)], { encoding: "utf8" });

function libraryPath(name: string): string {
  const line = execFileSync("/sbin/ldconfig", ["-p"], { encoding: "utf8" })
    .split("\n")
    .find((each) => each.trim().startsWith(`${name} `));
  const path = line?.split(" => ")[1];
  if (path === undefined) throw new Error(`${name} is missing on this machine`);
  return path;
}

const koffiBinaries = (): string[] => within("node_modules/@koromix").filter((path) => /linux_\w+\/koffi\.node$/.test(path));

const within = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
