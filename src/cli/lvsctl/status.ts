import { fateOf } from "../../director/exits.ts";
import type { Status } from "../../director/status.ts";
import { type AddCommand, asJson, type Context, jsonText } from "./command.ts";
import { waitingText } from "./plan-text.ts";
import { duration, left, right, table } from "./text.ts";

export const addStatus: AddCommand = (program, context) => {
  program
    .command("status")
    .description("the daemon, its interfaces, its tables, and where packets went")
    .option(...asJson)
    .action(async ({ json }: { json?: true }) => {
      const status = await context.control.status();
      await context.io.out(json ? jsonText(status) : statusText(status, context));
    });
};

function statusText(status: Status, context: Context): string {
  const { table: use, engine } = status;
  const head = [
    `${context.colors.bold("lvsd")} ${status.version}, ${engine}, pid ${status.pid}, up ${duration(status.uptimeSeconds)}\n`,
    `${connsText(use)}, ${use.services} services, ${use.dests} dests\n`,
    ...fileLines(status, context.colors),
  ].join("");
  // The kernel's own IPVS is on no interface in particular, and does not count why packets leave.
  return engine === "kernel" ? head : `${head}\n${attachmentsText(status, context)}\n${exitsText(status, context.colors)}`;
}

/** Which file is carried out. */
function fileLines({ file }: Status, colors: Context["colors"]): string[] {
  if (file === undefined) return [];
  const waiting = file.waiting === undefined ? [] : [`${colors.yellow(waitingText(file.waiting))}\n`];
  return [`${file.file}, carried out ${duration(file.seconds)} ago\n`, ...waiting];
}

function attachmentsText({ attachments }: Status, { colors }: Context): string {
  if (attachments.length === 0) return colors.yellow("no interface: nothing is forwarded\n");
  const rows = attachments.map((a) => [a.interface, String(a.ifindex), a.hook, a.mode, a.adopted ? "adopted" : ""]);
  return table([left("INTERFACE"), right("INDEX"), left("HOOK"), left("MODE"), left("")], rows, colors.dim);
}

/** A capacity of 0 is no limit. */
const connsText = ({ conns, capacity }: Status["table"]): string =>
  capacity === 0 ? `${conns} conns` : `${conns} of ${capacity} conns (${Math.round((100 * conns) / capacity)}%)`;

/** By fate, then by number; exits that no packet took are left out. */
function exitsText({ exits }: Status, colors: Context["colors"]): string {
  const order = ["forwarded", "passed", "dropped"];
  const rows = Object.entries(exits)
    .filter(([, packets]) => packets > 0)
    .map(([reason, packets]) => ({ reason, packets, fate: fateOf(reason) }))
    .sort((a, b) => order.indexOf(a.fate) - order.indexOf(b.fate) || b.packets - a.packets);
  if (rows.length === 0) return "no packets yet\n";
  const paint = { forwarded: colors.green, passed: String, dropped: colors.red };
  const cells = rows.map(({ reason, packets, fate }) => [paint[fate](fate), reason, String(packets)]);
  return table([left("FATE"), left("REASON"), right("PACKETS")], cells, colors.dim);
}
