/** Prometheus' text exposition format 0.0.4. */

export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** All samples of one name. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  readonly samples: Iterable<Sample>;
}

/** `labels` is what labelText made of them: many families share it. */
export type Sample = readonly [labels: string, value: number];

/** `{name="value",…}`, "" for none. */
export function labelText(labels: Readonly<Record<string, string | number>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeValue(String(value))}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

const SPECIAL = /["\\\n]/g;
const escapeValue = (text: string): string =>
  text.replace(SPECIAL, (character) => (character === "\n" ? "\\n" : `\\${character}`));
const escapeHelp = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");

/** Line by line. A family without samples is left out. */
export function* exposition(families: Iterable<Family>): Generator<string> {
  for (const { name, help, type, samples } of families) {
    let head = `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
    for (const [labels, value] of samples) {
      yield `${head}${name}${labels} ${valueText(value)}\n`;
      head = "";
    }
  }
}

function valueText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}
