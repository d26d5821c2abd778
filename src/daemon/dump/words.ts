import type { Script as FileScript } from "../../config/args.ts";
import type { GlobalDefs } from "../../config/keywords.ts";
import type { Facts } from "./facts.ts";

/** Pieces of lines that several sections have. */

export const yesNo = (is: boolean): string => (is ? "yes" : "no");
export const title = (text: string): string => `------< ${text} >------`;
/** "%f" of C. */
export const fixed6 = (n: number): string => n.toFixed(6);

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** "1795161362.659811 (Fri Nov 20 07:56:02.659811 2026)". @param ms since 1970 */
export function moment(ms: number): string {
  const at = new Date(ms);
  const micros = String(Math.floor((ms * 1000) % 1_000_000)).padStart(6, "0");
  const two = (n: number): string => String(n).padStart(2, "0");
  const date = `${DAYS[at.getDay()]} ${MONTHS[at.getMonth()]} ${String(at.getDate()).padStart(2)}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return `${Math.floor(ms / 1000)}.${micros} (${date} ${time}.${micros} ${at.getFullYear()})`;
}

/** "'/usr/bin/true' 'all'". */
export function commandText([program = "", ...args]: readonly string[], { machine }: Facts): string {
  return [machine.resolve(program), ...args].map((word) => `'${word}'`).join(" ");
}

/** "'/usr/bin/true' 'all', uid:gid 0:0". */
export function scriptText(script: FileScript, facts: Facts): string {
  return `${commandText(script.command, facts)}, uid:gid ${identityText(script, facts)}`;
}

export function identityText(script: { readonly user?: string; readonly group?: string }, { config, machine }: Facts): string {
  const by = script.user === undefined ? config.globalDefs?.scriptUser : script;
  const { uid, gid } = machine.identity({ user: by?.user, group: by?.group });
  return `${uid}:${gid}`;
}

/** One line for each script that there is. */
export function scriptLines(
  scripts: readonly (readonly [label: string, script: FileScript | undefined])[],
  facts: Facts,
): string[] {
  return scripts.flatMap(([label, script]) =>
    script === undefined || script.command.length === 0
      ? []
      : [`   ${label} state transition script = ${scriptText(script, facts)}`],
  );
}

/** "3", "-7", "3 reverse". */
export const weightText = ({ weight, reverse }: { readonly weight: number; readonly reverse: boolean }): string =>
  `${weight}${reverse ? " reverse" : ""}`;

/** `smtp_alert` of an instance or a group. */
export const mayMail = (own: boolean | undefined, g: GlobalDefs | undefined): boolean =>
  own ?? g?.smtpAlertVrrp ?? g?.smtpAlert ?? false;

/** Addresses, routes and rules stand further in. */
export const item = (text: string): string => `     ${text}`;
/** A heading and what stands under it; nothing when that is empty. */
export const listed = (heading: string, items: readonly string[]): string[] =>
  items.length === 0 ? [] : [`   ${heading}`, ...items.map(item)];
