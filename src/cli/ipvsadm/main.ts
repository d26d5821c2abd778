import type { Operation, Refusal, ServiceKey } from "../../director/director.ts";
import { explain, Fault } from "../../fault.ts";
import { type Client, NoDaemon } from "../client.ts";
import type { Command } from "./command.ts";
import { connLines, connTitle } from "./conns.ts";
import { bannerLine, daemonLines, laddrLines, serviceLines, timeoutsLine, titleLines } from "./format.ts";
import { helpText, versionLine } from "./help.ts";
import { type Names, systemNames } from "./names.ts";
import { parseCommand } from "./parse.ts";
import { errnoText, refusalText } from "./refusal.ts";
import { parseBatch, withoutComments } from "./restore.ts";
import { saveLines } from "./save.ts";
import { Usage } from "./usage.ts";

/** Where a command reads and writes. */
export interface Io {
  stdin(): Promise<string>;
  /** A promise when the reader is slow. */
  out(text: string): void | Promise<void>;
  err(text: string): void;
}

/** ipvsadm's exit codes (spec 9.3): a refusal of the director, a listing that failed, no director at all. */
const REFUSED = 255;
const NOT_LISTED = 1;
const NO_DIRECTOR = 2;

export type Run = (args: readonly string[], io: Io, client: Client, names?: Names) => Promise<number>;

/** @param args without the program's name @returns the exit code */
export const ipvsadm: Run = (args, io, client, names = systemNames()) =>
  guarded(io, async () => execute(await parseCommand(args, names), io, client, names));

/** `ipvsadm-save [-n]`: the original is a shell script around `ipvsadm -S`. */
export const ipvsadmSave: Run = async (args, io, client, names) => {
  if (args.every((arg) => arg === "-n" || !arg.startsWith("-")))
    return ipvsadm(args.includes("-n") ? ["-S", "-n"] : ["-S"], io, client, names);
  io.err(
    "ipvsadm-save: Script to save the IPVS table to stdout.\n   With the -n option, prints out the table in numeric format.\n",
  );
  return 1;
};

/**
 * `ipvsadm-restore`: the original clears the table and then applies the rules one by one, so that a bad file leaves half a
 * table, or none. Here clearing is the first operation of the batch: a bad file leaves the table as it was.
 */
export const ipvsadmRestore: Run = (_args, io, client, names = systemNames()) =>
  guarded(io, async () => {
    const text = withoutComments(await io.stdin());
    return restore("ipvsadm-restore", text, [{ op: "flush" }], io, client, names);
  });

async function guarded(io: Io, work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Usage) {
      io.err(`${error.message}\n`);
      return error.exit;
    }
    if (error instanceof NoDaemon) {
      io.err(`Can't initialize ipvs: ${errnoText(error.code)}\n`);
      io.err(`Is lvsd running in this network namespace? (socket ${error.path})\n`);
      return NO_DIRECTOR;
    }
    if (!(error instanceof Fault)) throw error;
    io.err(`${explain(error)}\n`);
    return REFUSED;
  }
}

async function execute(command: Command, io: Io, client: Client, names: Names): Promise<number> {
  switch (command.kind) {
    case "apply":
      return applyOne(command.operation, io, client);
    case "restore":
      return restore("ipvsadm", await io.stdin(), [], io, client, names);
    case "list":
      return list(command, io, client, names);
    case "list-conns":
      await io.out(connTitle(command.engines));
      for await (const batch of client.conns()) await io.out(await connLines(batch, command.engines, named(command, names)));
      return 0;
    case "list-laddrs": {
      const services = await client.services(command.key);
      if (isMissing(command.key, services)) return notListed(io);
      await io.out(await laddrLines(services, named(command, names)));
      return 0;
    }
    case "list-timeouts":
      await io.out(timeoutsLine(await client.timeouts()));
      return 0;
    case "list-daemons":
      await io.out(daemonLines(await client.daemons()));
      return 0;
    case "save":
      await io.out(await saveLines(await client.services(), named(command, names)));
      return 0;
    case "help":
      await io.out(helpText());
      return 0;
    case "version":
      await io.out(versionLine);
      return 0;
  }
}

const named = ({ numeric }: { numeric: boolean }, names: Names): Names | undefined => (numeric ? undefined : names);

async function applyOne(operation: Operation, io: Io, client: Client): Promise<number> {
  const [refusal] = await client.apply([operation]);
  if (refusal === undefined) return 0;
  io.err(`${refusalText(operation, refusal)}\n`);
  return REFUSED;
}

async function list({ key, listing }: Command & { kind: "list" }, io: Io, client: Client, names: Names): Promise<number> {
  const [info, services] = await Promise.all([key === undefined ? client.info() : undefined, client.services(key)]);
  if (isMissing(key, services)) return notListed(io);
  const banner = info === undefined ? "" : bannerLine(info);
  await io.out(banner + titleLines(listing.columns) + (await serviceLines(services, listing, named(listing, names))));
  return 0;
}

const isMissing = (key: ServiceKey | undefined, services: readonly unknown[]): boolean =>
  key !== undefined && services.length === 0;

function notListed(io: Io): number {
  io.err("No such service\n");
  return NOT_LISTED;
}

/** @param before operations that come first in the batch */
async function restore(
  program: string,
  text: string,
  before: readonly Operation[],
  io: Io,
  client: Client,
  names: Names,
): Promise<number> {
  const batch = await parseBatch(text, names);
  if (!("operations" in batch)) {
    for (const { line, usage } of batch) io.err(`${program}: line ${line}: ${usage.message}\n`);
    return batch[0]!.usage.exit;
  }
  const operations = [...before, ...batch.operations];
  const refusals = await client.apply(operations);
  for (const refusal of refusals) {
    const line = batch.lines[refusal.index - before.length];
    io.err(`${program}: ${line === undefined ? "" : `line ${line}: `}${textOf(operations, refusal)}\n`);
  }
  if (refusals.length > 0) return REFUSED;
  for (const query of batch.queries) await execute(query, io, client, names);
  return 0;
}

const textOf = (operations: readonly Operation[], refusal: Refusal): string => refusalText(operations[refusal.index], refusal);
