import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "../../fault.ts";

/** Settings as the kernel has them (spec 7.1): a file each, of the network namespace of whoever looks. */
export interface Sysctls {
  all(): Readonly<Record<string, string>>;
  /** Throws a Fault: ENOENT (no such setting), EINVAL (a value out of range), EPERM, EACCES. */
  set(name: string, value: string): void;
}

export const ipvsSysctls = (folder = "/proc/sys/net/ipv4/vs"): Sysctls => ({
  all() {
    return Object.fromEntries(names(folder).map((name) => [name, read(join(folder, name))]));
  },

  set(name, value) {
    const op = `set ${name}`;
    if (!names(folder).includes(name)) throw new Fault(op, "ENOENT", "this kernel has no such setting");
    try {
      writeFileSync(join(folder, name), `${value}\n`, { flag: "r+" });
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code ?? "EIO";
      throw new Fault(op, code, `the kernel refused ${JSON.stringify(value)} (${code})`);
    }
  },
});

/** None where ip_vs was taken away. */
function names(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/** Numbers of a pair are parted by a tab in the kernel, by a blank here. */
const read = (path: string): string => readFileSync(path, "utf8").trim().replaceAll("\t", " ");
