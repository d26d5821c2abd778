import { fateOf } from "../../director/exits.ts";
import type { Status } from "../../director/status.ts";
import { type AddCommand, asJson, type Context, jsonText } from "./command.ts";
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

function statusText(status: Status, { colors }: Context): string {
  const { table: use, attachments } = status;
  const percent = use.capacity === 0 ? 0 : Math.round((100 * use.conns) / use.capacity);
  const rows = attachments.map((a) => [a.interface, String(a.ifindex), a.hook, a.mode, a.adopted ? "adopted" : ""]);
  const columns = [left("INTERFACE"), right("INDEX"), left("HOOK"), left("MODE"), left("")];
  const none = colors.yellow("no interface: nothing is forwarded\n");
  return [
    `${colors.bold("lvsd")} ${status.version}, ${status.engine}, pid ${status.pid}, up ${duration(status.uptimeSeconds)}\n`,
    `${use.conns} of ${use.capacity} conns (${percent}%), ${use.services} services, ${use.dests} dests\n\n`,
    attachments.length === 0 ? none : table(columns, rows, colors.dim),
    `\n${exitsText(status, colors)}`,
  ].join("");
}

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
