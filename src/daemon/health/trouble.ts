import { explain } from "../../fault.ts";
import type { Result } from "../../health/checker.ts";

/** Errors that are this host's own and say nothing of a server (spec 4.2). */
const OURS: ReadonlySet<unknown> = new Set([
  "EMFILE",
  "EAGAIN",
  "ENFILE",
  "ENOBUFS",
  "ENOMEM",
  "EADDRNOTAVAIL",
  "EADDRINUSE",
  "ENODEV",
]);

/** What people say of it. */
const WORDS: ReadonlyMap<unknown, string> = new Map([
  ["ECONNREFUSED", "connection refused"],
  ["ECONNRESET", "connection reset"],
  ["ETIMEDOUT", "timeout"],
  ["EHOSTUNREACH", "no route to host"],
  ["ENETUNREACH", "network unreachable"],
  ["EHOSTDOWN", "host is down"],
]);

export function troubleOf(error: unknown): Result {
  const code = (error as { code?: unknown } | undefined)?.code;
  return { type: OURS.has(code) ? "unknown" : "failed", reason: WORDS.get(code) ?? explain(error) };
}
