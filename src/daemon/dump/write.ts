import { randomBytes } from "node:crypto";
import { closeSync, constants, fchmodSync, openSync, renameSync, unlinkSync, writeFileSync } from "node:fs";

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

/**
 * Puts a file in place at once: whoever reads it finds the old one or the whole new one. A symbolic link at `path` is replaced
 * and not followed, since dumps go to a folder where everybody may write. Throws what node:fs throws.
 */
export function writeWhole(path: string, text: string, mode: number): void {
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  const fd = openSync(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    try {
      fchmodSync(fd, mode);
      writeFileSync(fd, text);
    } finally {
      closeSync(fd);
    }
    renameSync(draft, path);
  } catch (error) {
    unlinkSync(draft);
    throw error;
  }
}
