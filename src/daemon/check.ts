import type { z } from "zod";

/** A place in a request and what is wrong there: "operations[3].service.key.addr", "not an IP address". */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

/** More are counted, not told. */
const TOLD = 100;

export type Checked<T> = { readonly value: T } | { readonly problems: readonly Problem[]; readonly untold: number };

export function check<T>(schema: z.ZodType<T>, input: unknown): Checked<T> {
  const result = schema.safeParse(input);
  if (result.success) return { value: result.data };
  const issues = result.error.issues;
  return { problems: issues.slice(0, TOLD).flatMap((issue) => told(issue, [])), untold: Math.max(issues.length - TOLD, 0) };
}

type Issue = z.core.$ZodIssue;

function told(issue: Issue, parents: readonly PropertyKey[]): Problem[] {
  const path = [...parents, ...issue.path];
  const nearest = issue.code === "invalid_union" ? nearestBranch(issue.errors) : undefined;
  if (nearest !== undefined) return nearest.flatMap((inner) => told(inner, path));
  return [{ path: pathText(path), message: issue.message }];
}

/** Of the alternatives, the one that the input comes closest to. */
const nearestBranch = (branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined =>
  branches.length === 0 ? undefined : branches.reduce((best, branch) => (distance(branch) < distance(best) ? branch : best));

/** Each wrong value and each unknown key is a step away. */
const distance = (issues: readonly Issue[]): number =>
  issues.reduce((sum, issue) => sum + (issue.code === "unrecognized_keys" ? issue.keys.length : 1), 0);

/** ["operations", 3, "key"] is "operations[3].key"; the whole is "". */
function pathText(path: readonly PropertyKey[]): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += text === "" ? String(part) : `.${String(part)}`;
  }
  return text;
}

/** "operations[3].key.addr: not an IP address; …" */
export const problemsText = (problems: readonly Problem[], untold: number): string =>
  [
    ...problems.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)),
    ...(untold > 0 ? [`and ${untold} more`] : []),
  ].join("; ");
