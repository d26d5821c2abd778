import { Option } from "commander";
import { type AddCommand, asJson, type Context, jsonText } from "../cli/lvsctl/command.ts";
import { left, right, table } from "../cli/lvsctl/text.ts";
import { Fault } from "../fault.ts";
import { type Ip, parseIp } from "../net/ip.ts";
import { exits } from "./exits.ts";
import { DEFAULT_GUE_PORT } from "./plan.ts";
import type { Report } from "./report.ts";
import type { Method } from "./rules.ts";

type RealServer = Pick<typeof import("./realserver.ts"), "start" | "stop" | "status">;

interface StartOptions {
  readonly vip: readonly string[];
  readonly method: Method;
  readonly interface?: string;
  readonly hook: "auto" | "xdp" | "tc";
  readonly guePort?: number;
  readonly json?: true;
}

/**
 * lvsctl realserver start|stop|status: no daemon is asked, since a real server needs none.
 * @param load brings the part that calls the system, only when it is wanted
 */
export const addRealServer =
  (load: () => Promise<RealServer>): AddCommand =>
  (program, context) => {
    const group = program
      .command("realserver")
      .description("make this host a real server of VIPs that a director sends it by route or tunnel");
    const shown = async ({ status }: RealServer, json: true | undefined) => {
      const report = status();
      await context.io.out(json ? jsonText(report) : reportText(report, context));
    };

    group
      .command("start")
      .description("take VIPs onto lo, be silent about them in ARP, and take tunnel headers off")
      .requiredOption("--vip <address...>", "the VIPs, more of them when some are there already")
      .addOption(new Option("--method <method>", "how the director sends").choices(["route", "tunnel"]).makeOptionMandatory())
      .option("--interface <name>", "where tunnelled packets arrive (default: that of the default route)")
      .addOption(new Option("--hook <hook>", "where the decapsulation runs").choices(["auto", "xdp", "tc"]).default("auto"))
      .option("--gue-port <port>", `UDP port of GUE (default: ${DEFAULT_GUE_PORT})`, portOf)
      .option(...asJson)
      .action(async ({ vip, json, ...rest }: StartOptions) => {
        const vips = vip.map(vipOf);
        const server = await load();
        server.start({ ...rest, vips });
        await shown(server, json);
      });

    group
      .command("stop")
      .description("undo it for these VIPs; with the last one all is as it was before")
      .option("--vip <address...>", "which VIPs (default: all)")
      .option(...asJson)
      .action(async ({ vip, json }: { vip?: readonly string[]; json?: true }) => {
        const vips = vip?.map(vipOf);
        const server = await load();
        server.stop(vips);
        await shown(server, json);
      });

    group
      .command("status")
      .description("VIPs, sysctls as they are and as they should be, what was decapsulated, what is wrong")
      .option(...asJson)
      .action(async ({ json }: { json?: true }) => shown(await load(), json));
  };

function vipOf(text: string): Ip {
  const vip = parseIp(text.replace(/\/(32|128)$/, ""));
  if (vip === undefined) throw new Fault("--vip", "EINVAL", `"${text}" is no IP address`);
  return vip;
}

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65_535) throw new Fault("--gue-port", "EINVAL", `"${text}" is no port`);
  return port;
}

export function reportText(report: Report, { colors }: Pick<Context, "colors">): string {
  if (report.vips.length === 0 && report.attachments.length === 0) return "no VIPs: this host is no real server\n";
  const { vips, sysctls, attachments, problems } = report;
  const good = (ok: boolean, word: string) => (ok ? colors.green(word) : colors.red(word));
  const vipRows = vips.map((v) => [
    v.vip,
    v.method,
    v.interface ?? "",
    v.present ? colors.green("on lo") : colors.red("missing"),
    v.wasThere ? "was there before" : "",
  ]);
  const sysctlRows = sysctls.map((s) => [s.name, good(s.ok, s.value ?? "?"), s.wanted, s.former ?? ""]);
  const linkRows = attachments.map((a) => [a.interface, a.hook, good(a.present, a.present ? "attached" : "missing")]);
  const parts = [
    table([left("VIP"), left("METHOD"), left("INTERFACE"), left("ADDRESS"), left("")], vipRows, colors.dim),
    sysctls.length === 0 ? "" : table([left("SYSCTL"), right("VALUE"), right("WANTED"), right("BEFORE")], sysctlRows, colors.dim),
    linkRows.length === 0 ? "" : table([left("DECAPSULATION"), left("HOOK"), left("")], linkRows, colors.dim),
    exitsText(report, colors),
    problems.map((problem) => `${colors.red("problem:")} ${problem}\n`).join(""),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

/** Exits that no packet took are left out. */
function exitsText({ exits: counts }: Report, colors: Context["colors"]): string {
  if (counts === undefined) return "";
  const paint = { stripped: colors.green, passed: String, dropped: colors.red };
  const rows = exits
    .filter(({ word }) => (counts[word] ?? 0) > 0)
    .map(({ word, fate, meaning }) => [paint[fate](fate), word, String(counts[word]), meaning]);
  if (rows.length === 0) return "no packets yet\n";
  return table([left("FATE"), left("REASON"), right("PACKETS"), left("")], rows, colors.dim);
}
