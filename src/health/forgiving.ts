import type { Director, Operation, Refusal } from "../director/director.ts";

/**
 * Applies a list as keepalived does (spec 4.3): what is there already is edited, what is not there is added, and what is gone
 * need not be deleted. Returns what was refused all the same; the rest is done.
 */
export function applyForgiving(director: Pick<Director, "apply">, operations: readonly Operation[]): readonly Refusal[] {
  const left: (Operation | undefined)[] = [...operations];
  const changed = new Set<number>();
  const refused: Refusal[] = [];
  for (;;) {
    const places = left.flatMap((operation, at) => (operation === undefined ? [] : [at]));
    if (places.length === 0) return refused;
    const refusals = director.apply(places.map((at) => left[at]!));
    if (refusals.length === 0) return refused;
    for (const refusal of refusals) {
      const at = places[refusal.index] ?? places[0]!;
      const other = changed.has(at) ? undefined : instead(left[at], refusal.code);
      if (other === undefined) refused.push({ ...refusal, index: at });
      changed.add(at);
      left[at] = other === "nothing" ? undefined : other;
    }
  }
}

/** Undefined: nothing helps. */
function instead(operation: Operation | undefined, code: string): Operation | "nothing" | undefined {
  if (operation?.op === "add-dest" && code === "EEXIST") return { ...operation, op: "edit-dest" };
  if (operation?.op === "add-service" && code === "EEXIST") return { ...operation, op: "edit-service" };
  if (operation?.op === "edit-dest" && code === "ENOENT") return { ...operation, op: "add-dest" };
  if (operation?.op === "add-laddr" && code === "EEXIST") return "nothing";
  const isGone = code === "ENOENT" || code === "ESRCH";
  return (operation?.op === "delete-dest" || operation?.op === "delete-service" || operation?.op === "delete-laddr") && isGone
    ? "nothing"
    : undefined;
}
