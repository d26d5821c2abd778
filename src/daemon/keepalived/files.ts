import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import type { Files } from "../../config/lines.ts";
import { expandBraces } from "../../config/paths.ts";
import { fits, signsOf } from "./wildcard.ts";

/** A keepalived.conf is text that people write, bytes. */
const LARGEST = 256 << 20;
/** Files of one pattern. */
const MOST_FOUND = 10_000;
/** Names that are looked at for one pattern. */
const MOST_LOOKS = 20_000;

/** The files of this machine, for the reader of keepalived.conf. Nothing here waits: a FIFO or a device has no text. */
export const diskFiles: Files = {
  read(path) {
    let fd: number | undefined;
    try {
      fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      const stat = fstatSync(fd);
      return stat.isFile() && stat.size <= LARGEST ? readFileSync(fd, "utf8") : undefined;
    } catch {
      return undefined;
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  },
  glob(pattern) {
    const looks = { left: MOST_LOOKS };
    return expandBraces(pattern)
      .flatMap((one) => matches(one, looks))
      .slice(0, MOST_FOUND);
  },
  isSkipped(path) {
    const stat = statOf(path);
    return stat !== undefined && (!stat.isFile() || (stat.mode & 0o111) !== 0);
  },
  env: (name) => process.env[name],
};

/** Undefined: nothing there, or not to be looked at. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined; // a loop of links, a name that is too long, a folder that is closed
  }
}

/** Paths that a pattern without braces fits, sorted. Files with a leading dot want a dot in the pattern. */
function matches(pattern: string, looks: { left: number }): string[] {
  let found = [pattern.startsWith("/") ? "/" : ""];
  for (const part of pattern.split("/").filter((word) => word !== ""))
    found = found.flatMap((folder) => step(folder, part, looks));
  return found.sort();
}

function step(folder: string, part: string, looks: { left: number }): string[] {
  if (--looks.left < 0) return [];
  if (!/[*?[]/.test(part)) return statOf(join(folder, part)) === undefined ? [] : [join(folder, part)];
  const wanted = signsOf(part);
  try {
    const names = readdirSync(folder === "" ? "." : folder);
    looks.left -= names.length;
    return names
      .filter((name) => fits(wanted, name) && name.startsWith(".") === part.startsWith("."))
      .map((name) => join(folder, name));
  } catch {
    return []; // no folder, or none to be read
  }
}
