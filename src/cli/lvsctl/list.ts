import { type Conn, type Dest, endpointText, type Service } from "../../director/director.ts";
import { type AddCommand, asJson, type Context, jsonText } from "./command.ts";
import { duration, left, right, serviceText, short, table } from "./text.ts";

export const addLists: AddCommand = (program, context) => {
  const { control, io } = context;
  program
    .command("services")
    .description("services and their dests")
    .option(...asJson)
    .action(async ({ json }: { json?: true }) => {
      const services = await control.services();
      await io.out(json ? jsonText(services) : servicesText(services, context));
    });

  program
    .command("conns")
    .description("connections; with --json one value per line")
    .option(...asJson)
    .action(async ({ json }: { json?: true }) => {
      if (!json) await io.out(context.colors.dim(connLine(titles)));
      for await (const batch of control.conns()) {
        const lines = json ? batch.map((conn) => `${JSON.stringify(conn)}\n`) : batch.map((conn) => connLine(connCells(conn)));
        await io.out(lines.join(""));
      }
    });
};

const columns = [
  ...["SERVICE", "SCHEDULER", "DEST", "METHOD"].map(left),
  ...["WEIGHT", "ACTIVE", "INACTIVE"].map(right),
  left("HOP"),
];

function servicesText(services: readonly Service[], { colors }: Context): string {
  if (services.length === 0) return "no services\n";
  const rows = services.flatMap((service) => {
    const about = [colors.bold(serviceText(service.key)), schedulingText(service)];
    if (service.dests.length === 0) return [[...about, colors.yellow("no dests")]];
    return service.dests.map((dest, i) => [...(i === 0 ? about : ["", ""]), ...destCells(dest, colors)]);
  });
  return table(columns, rows, colors.dim);
}

const schedulingText = ({ scheduler, persistSeconds, onePacket }: Service): string =>
  [
    scheduler,
    ...(persistSeconds > 0 ? [`persistent ${duration(persistSeconds)}`] : []),
    ...(onePacket ? ["one-packet"] : []),
  ].join(", ");

const destCells = (dest: Dest, colors: Context["colors"]): string[] => [
  endpointText(dest),
  dest.method === "tunnel" ? `tunnel ${dest.tunnel.type}` : dest.method,
  dest.weight === 0 ? colors.yellow("0") : String(dest.weight),
  short(dest.activeConns),
  short(dest.inactiveConns),
  hopText(dest.hop, colors),
];

function hopText(hop: Dest["hop"], colors: Context["colors"]): string {
  if (hop === undefined) return "";
  const text = hop.via === undefined ? hop.state : `${hop.state} via ${hop.via}`;
  return hop.state === "resolved" || hop.state === "local" ? text : colors.red(text);
}

/** There may be a million, so the columns are as wide as IPv4 needs, and not as the widest cell. */
const titles = ["PROTO", "CLIENT", "VIRTUAL", "DEST", "METHOD", "STATE", "EXPIRES"];
const widths = [5, 21, 21, 21, 7, 11, 7];

const connCells = (conn: Conn): string[] => [
  conn.protocol,
  endpointText(conn.client),
  conn.protocol === "ip" && conn.fwmark !== 0 ? `fwmark ${conn.fwmark}` : endpointText(conn.virtual),
  endpointText(conn.dest),
  conn.method,
  conn.template ? "TEMPLATE" : conn.state,
  duration(conn.expiresIn),
];

const connLine = (cells: readonly string[]): string =>
  `${cells
    .map((cell, i) => cell.padEnd(widths[i]!))
    .join("  ")
    .trimEnd()}\n`;
