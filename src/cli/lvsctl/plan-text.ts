import type { Change, FieldChange, LiveConns, Outcome, Plan, Waiting } from "../../director/plan.ts";
import type { Context } from "./command.ts";

/** A plan for people: a line for each change. */

type Colors = Context["colors"];

export function planText({ changes, waiting }: Plan, colors: Colors): string {
  const lines = changes.length === 0 ? ["nothing to change"] : changes.map((change) => changeText(change, colors));
  return [...lines, ...(waiting === undefined ? [] : [colors.yellow(waitingText(waiting))])].map((line) => `${line}\n`).join("");
}

/** Of what was done. @param word such as "reloaded" */
export function outcomeText(done: Outcome, word: string, colors: Colors): string {
  const lines = done.changes.map((change) => changeText(change, colors));
  const counts = [countText(done.changes.length, "change"), countText(done.operations, "operation")];
  const last = `${word} ${done.file}: ${counts.join(", ")} in ${done.took} ms`;
  const waiting = done.waiting === undefined ? [] : [colors.yellow(waitingText(done.waiting))];
  return [...lines, last, ...done.remarks, ...waiting].map((line) => `${line}\n`).join("");
}

export const waitingText = ({ file, seconds }: Waiting): string =>
  `${file} is applied until confirmed: taken back in ${seconds} s unless lvsctl confirm`;

const countText = (n: number, what: string): string => `${n === 0 ? "no" : n} ${what}${n === 1 ? "" : "s"}`;

const SIGNS = { add: "+", change: "~", remove: "-" } as const;

function changeText(change: Change, colors: Colors): string {
  const { what, fields, conns, effects } = change;
  const paint = { add: colors.green, change: colors.yellow, remove: colors.red }[what];
  const subject = subjectOf(change);
  const told = fields.map((field) => fieldText(field, what)).join(", ");
  const text = [subject, told].filter((part) => part !== "").join(": ");
  const live = conns === undefined ? "" : ` (${connsText(conns)})`;
  return paint(`${SIGNS[what]} ${text}${live}`) + effects.map((effect) => `; ${effect}`).join("");
}

/** Names that are told; of more, how many. */
const TOLD = 3;

function subjectOf({ kind, name, of, and = [] }: Change): string {
  const names = [name, ...and];
  const rest = names.length - TOLD;
  const all = rest > 1 ? `${names.slice(0, TOLD).join(", ")} and ${rest} more` : names.join(", ");
  if (kind === "global" || kind === "static") return ""; // the field says it all
  if (kind === "service") return `virtual_server ${all}`;
  if (kind === "server") return `real_server ${all} of ${of}`;
  return `${kind === "instance" ? "vrrp_instance" : kind} ${all}`;
}

function fieldText({ field, from, to }: FieldChange, what: Change["what"]): string {
  if (from !== undefined && to !== undefined) return `${field} ${from} -> ${to}`;
  if (from === undefined && to === undefined) return `${field} differs`;
  const sign = what === "change" ? (from === undefined ? "+" : "-") : "";
  return `${sign}${field} ${to ?? from}`;
}

/** Nothing of what is none. */
function connsText(conns: LiveConns): string {
  const parts = (["active", "inactive", "persistent"] as const)
    .filter((word) => conns[word] > 0)
    .map((word) => `${conns[word]} ${word}`);
  return parts.length === 0 ? "no conns" : `${parts.join(", ")} conns`;
}
