import { InvalidArgumentError } from "commander";
import type { Endpoint } from "../../director/director.ts";
import { parseIp } from "../../net/ip.ts";
import { type AddCommand, asJson, jsonText } from "./command.ts";

interface Options {
  readonly udp?: true;
  readonly sctp?: true;
  readonly iface?: string;
  readonly json?: true;
}

export const addExplain: AddCommand = (program, { control, io }) => {
  program
    .command("explain")
    .description("what would become of a packet, and why; changes nothing")
    .argument("<client>", "CIP:PORT it comes from", endpoint)
    .argument("<virtual>", "VIP:PORT it is for; IPv6 in brackets", endpoint)
    .option("--udp", "UDP instead of TCP")
    .option("--sctp", "SCTP instead of TCP")
    .option("--iface <interface>", "the interface it comes in by, for mark rules that ask")
    .option(...asJson)
    .action(async (client: Endpoint, virtual: Endpoint, { udp, sctp, iface, json }: Options) => {
      const protocol = udp ? "udp" : sctp ? "sctp" : "tcp";
      const explanation = await control.explain({ protocol, client, virtual, ...(iface !== undefined && { interface: iface }) });
      await io.out(json ? jsonText(explanation) : explanation.lines.map((line) => `${line}\n`).join(""));
    });
};

/** "10.0.0.1:80", "[2001:db8::1]:80" */
export function endpoint(text: string): Endpoint {
  const [, v6, v4, digits] = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  const addr = parseIp(v6 ?? v4 ?? "");
  const port = Number(digits);
  if (addr === undefined || addr.includes(":") !== (v6 !== undefined) || port > 65535)
    throw new InvalidArgumentError("Expected ADDRESS:PORT, like 10.0.0.1:80 or [2001:db8::1]:80.");
  return { addr, port };
}
