import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The repository. */
export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/**
 * Why a lab test cannot run here, or undefined when it can. In CI everything is there, or that is the failure.
 * @param built files of the repository that `make build` makes
 */
export function missing(...built: readonly string[]): string | undefined {
  const reason = reasonOf(built);
  if (reason !== undefined && isCi()) throw new Error(`CI must run this test, but ${reason}`);
  return reason;
}

const isCi = (): boolean => !["", "0", "false", undefined].includes(process.env.CI);

function reasonOf(built: readonly string[]): string | undefined {
  if (process.getuid?.() !== 0) return "network namespaces need root";
  const absent = built.filter((path) => !existsSync(`${ROOT}${path}`));
  return absent.length === 0 ? undefined : `${absent.join(", ")} is not built: make build`;
}
