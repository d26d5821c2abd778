import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expandBraces, type Files } from "../../config/lines.ts";

/** The files of this machine, for the reader of keepalived.conf. */
export const diskFiles: Files = {
  read(path) {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return undefined;
    }
  },
  glob: (pattern) => expandBraces(pattern).flatMap(matches),
  isSkipped(path) {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat !== undefined && (!stat.isFile() || (stat.mode & 0o111) !== 0);
  },
  env: (name) => process.env[name],
};

/** Paths that a pattern without braces fits, sorted. Files with a leading dot want a dot in the pattern. */
function matches(pattern: string): string[] {
  let found = [pattern.startsWith("/") ? "/" : ""];
  for (const part of pattern.split("/").filter((word) => word !== ""))
    found = found.flatMap((folder) => step(folder, part)).filter((path) => statSync(path, { throwIfNoEntry: false }));
  return found.sort();
}

function step(folder: string, part: string): string[] {
  if (!/[*?[]/.test(part)) return [join(folder, part)];
  const fits = wildcard(part);
  try {
    const names = readdirSync(folder === "" ? "." : folder);
    return names
      .filter((name) => fits.test(name) && name.startsWith(".") === part.startsWith("."))
      .map((name) => join(folder, name));
  } catch {
    return []; // no folder, or none to be read
  }
}

function wildcard(part: string): RegExp {
  const source = part.replaceAll(/\[!?[^\]]+\]|[\s\S]/g, (piece) => {
    if (piece === "*") return ".*";
    if (piece === "?") return ".";
    if (piece.length > 1) return piece.replace(/^\[!/, "[^").replaceAll("\\", "\\\\");
    return piece.replace(/[.+^${}()|[\]\\]/, "\\$&");
  });
  return new RegExp(`^${source}$`, "s");
}
