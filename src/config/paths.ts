/** Names of files as text; nothing here looks at a disk. */

export const dirOf = (path: string): string => (path.includes("/") ? path.slice(0, path.lastIndexOf("/")) || "/" : ".");

/** Joins without the file system: "a/b" and "../c" give "a/c". */
export function resolvePath(dir: string, path: string): string {
  if (path.startsWith("/")) return path;
  const out: string[] = dir === "." ? [] : dir.split("/");
  for (const part of path.split("/")) {
    if (part === "..") {
      if (out.length > 0 && out.at(-1) !== "..") out.pop();
      else out.push(part);
    } else if (part !== ".") out.push(part);
  }
  return out.join("/");
}

/** One pattern becomes no more than this many. */
export const MOST_PATTERNS = 1024;

/** The shell's braces: "{a,b/{c,d}}" gives "a", "b/c", "b/d". What would be more than MOST_PATTERNS is left as it is. */
export function expandBraces(pattern: string): string[] {
  let patterns = [pattern];
  for (;;) {
    // The innermost come first, so what stands beside them comes up more than once.
    const next = [...new Set(patterns.flatMap(expandOnce))];
    if (next.length > MOST_PATTERNS || next.every((one, i) => one === patterns[i])) return patterns;
    patterns = next;
  }
}

function expandOnce(pattern: string): string[] {
  const match = /^(.*?)\{([^{}]*,[^{}]*)\}(.*)$/s.exec(pattern);
  return match === null ? [pattern] : match[2]!.split(",").map((part) => `${match[1]}${part}${match[3]}`);
}
