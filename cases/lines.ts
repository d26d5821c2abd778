import { parseCommand } from "../src/cli/ipvsadm/parse.ts";
import type { Operation } from "../src/director/director.ts";

/** Configuration as ipvsadm is told it, one command a line, and settings as sysctl is: name=value. */

const noNames = {
  hostAddress: async () => undefined,
  hostName: async () => undefined,
  servicePort: () => undefined,
  serviceName: () => undefined,
};

export async function operationOf(line: string): Promise<Operation> {
  const [, name, value] = /^([a-z_]+)=(.*)$/.exec(line) ?? [];
  if (name !== undefined && value !== undefined) return { op: "set-setting", name, value };
  const command = await parseCommand(line.split(/\s+/), noNames);
  if (command.kind !== "apply") throw new Error(`${line} changes nothing`);
  return command.operation;
}

export function operationsOf(text: string): Promise<Operation[]> {
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  return Promise.all(lines.map(operationOf));
}
