import { pino } from "pino";
import type { Log } from "../director/engine.ts";

/** One line per event, to standard error: "2026-01-31T12:00:00.000Z info ready pid=1 interfaces=eth0", or the same as JSON. */
export function createLog(form: "text" | "json", write: (line: string) => void): Log {
  const sink = { write: form === "json" ? write : (line: string) => write(textLine(JSON.parse(line) as Entry)) };
  const logger = pino(
    {
      base: null,
      messageKey: "event",
      formatters: { level: (level) => ({ level }) },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
    },
    sink,
  );
  return {
    debug: (word, values) => logger.debug(values ?? {}, word),
    info: (word, values) => logger.info(values ?? {}, word),
    warn: (word, values) => logger.warn(values ?? {}, word),
    error: (word, values) => logger.error(values ?? {}, word),
  };
}

interface Entry {
  readonly level: string;
  readonly time: string;
  readonly event: string;
  readonly [name: string]: unknown;
}

function textLine({ level, time, event, ...values }: Entry): string {
  const parts = Object.entries(values).map(([name, value]) => ` ${name}=${valueText(value)}`);
  return `${time} ${level} ${event}${parts.join("")}\n`;
}

/** Words as they are, lists with commas, the rest as JSON; never more than one line. */
function valueText(value: unknown): string {
  if (Array.isArray(value) && value.length > 0) return value.map(valueText).join(",");
  if (typeof value === "string" && /^[^\s"=\p{Cc}]+$/u.test(value)) return value;
  return JSON.stringify(value);
}
