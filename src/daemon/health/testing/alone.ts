import { readFileSync, writeFileSync } from "node:fs";
import { parseText } from "../../../config/parse.ts";
import type { Operation } from "../../../director/director.ts";
import { type MailPlan, mailPlan } from "../../mail/config.ts";
import { openMailer } from "../../mail/mailer.ts";
import { fromConfig } from "../from-config.ts";
import { openHealth } from "../health.ts";

/** The checks of a file with everything but a director: what they did goes to a file at the end. SIGHUP reads the file again. For tests. */

export interface Done {
  readonly lines: string[];
  readonly log: string[];
  /** Dests with their weights, by service, when it was told to stop. */
  readonly table: Record<string, Record<string, number>>;
}

export function main([conf = "", output = ""]: readonly string[]): void {
  const { config } = parseText(readFileSync(conf, "utf8"));
  const done: Done = { lines: [], log: [], table: {} };
  const plan: MailPlan = mailPlan(config);
  const none = (): void => {};
  const mailer = openMailer(() => plan.config, {
    info: none,
    warn: (_, values) => done.log.push(JSON.stringify(values)),
    error: none,
    debug: none,
  });
  const director = {
    apply(operations: readonly Operation[]): [] {
      for (const operation of operations) follow(done.table, operation);
      return [];
    },
  };
  const health = openHealth(fromConfig(config).health, {
    director,
    tell: (line) => done.lines.push(line.trim()),
    mail: mailer.send,
    log: (text) => done.log.push(text),
  });
  process.on("SIGHUP", () => health.replace(fromConfig(parseText(readFileSync(conf, "utf8")).config).health));
  process.once("SIGTERM", async () => {
    const table = structuredClone(done.table);
    health.stop();
    await mailer.settled(1000);
    writeFileSync(output, JSON.stringify({ ...done, table }));
    process.exit();
  });
}

function follow(table: Done["table"], operation: Operation): void {
  if (!("dest" in operation)) return;
  const { key, dest } = operation;
  const service = key.fwmark === undefined ? `${key.addr}:${key.port}` : `FWM ${key.fwmark}`;
  table[service] ??= {};
  const id = `${dest.addr}:${dest.port}`;
  if (operation.op === "delete-dest") delete table[service][id];
  else table[service][id] = operation.dest.weight;
}
