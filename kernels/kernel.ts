import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { Fault } from "../src/fault.ts";

/** A kernel of Debian's, from its package: fetched and unpacked below build/, never installed. */

const FOLDER = "build/kernels";
/** Names the newest kernel of this release. On Debian 12 that is 6.1. */
const META_PACKAGE = "linux-image-cloud-amd64";

export interface Kernel {
  readonly name: string;
  readonly image: string;
  module(name: string): string;
}

/** @param wanted a package such as linux-image-6.1.0-50-cloud-amd64; undefined: the newest */
export function fetchKernel(wanted: string | undefined): Kernel {
  const name = wanted ?? newest();
  const folder = join(FOLDER, name);
  if (!existsSync(folder)) unpack(name, folder);
  const boot = join(folder, "boot");
  const image = readdirSync(boot).find((each) => each.startsWith("vmlinuz-"));
  if (image === undefined) throw new Fault("fetch kernel", "ENOENT", `no kernel in ${name}`);
  return { name, image: join(boot, image), module: (each) => modulePath(folder, each) };
}

function newest(): string {
  const said = execFileSync("apt-cache", ["depends", META_PACKAGE], { encoding: "utf8" });
  const found = /Depends: (linux-image-\S+)/.exec(said)?.[1];
  if (found === undefined) throw new Fault("fetch kernel", "ENOENT", `apt-cache knows no ${META_PACKAGE}: apt-get update?`);
  return found;
}

/** The folder appears when all of it is there. */
function unpack(name: string, folder: string): void {
  mkdirSync(FOLDER, { recursive: true });
  const work = mkdtempSync(join(FOLDER, "fetch-"));
  try {
    console.log(`fetching ${name}`);
    execFileSync("apt-get", ["download", "-q", "-o", "APT::Sandbox::User=root", name], { cwd: work, stdio: "inherit" });
    const archive = readdirSync(work).find((each) => each.endsWith(".deb")) ?? "";
    execFileSync("dpkg-deb", ["-x", join(work, archive), join(work, "root")], { stdio: "inherit" });
    renameSync(join(work, "root"), folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function modulePath(folder: string, name: string): string {
  const pattern = new RegExp(`/${name}\\.ko(\\.xz|\\.zst)?$`);
  const found = readdirSync(join(folder, "lib/modules"), { recursive: true, encoding: "utf8" }).find((path) =>
    pattern.test(path),
  );
  if (found === undefined) throw new Fault("fetch kernel", "ENOENT", `no module ${name} in ${folder}`);
  return resolve(folder, "lib/modules", found);
}
