/** Reads Prometheus' text format 0.0.4 and takes offence at everything that is not quite right. */

export interface Family {
  readonly type: string;
  readonly help: string;
  /** By their labels: `{a="1",b="2"}` with names sorted, "" for none. */
  readonly samples: ReadonlyMap<string, number>;
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/y;
const VALUE = /^(?:[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|Inf)|NaN)$/;

export function parseStrictly(text: string): ReadonlyMap<string, Family> {
  if (text !== "" && !text.endsWith("\n")) throw new Error("the last line does not end");
  const families = new Map<string, { type: string; help: string; samples: Map<string, number> }>();
  let open: { name: string; help: string; type?: string } | undefined;
  for (const line of text.split("\n").slice(0, -1)) {
    const help = new RegExp(`^# HELP (${NAME}) (.+)$`).exec(line);
    const type = new RegExp(`^# TYPE (${NAME}) (counter|gauge)$`).exec(line);
    if (help !== null) {
      if (families.has(help[1]!)) throw new Error(`${help[1]} comes twice`);
      open = { name: help[1]!, help: help[2]! };
    } else if (type !== null) {
      if (open === undefined || open.name !== type[1] || open.type !== undefined)
        throw new Error(`TYPE without its HELP: ${line}`);
      open.type = type[2]!;
      if (open.type === "counter" && !open.name.endsWith("_total")) throw new Error(`a counter ends in _total: ${open.name}`);
      families.set(open.name, { type: open.type, help: open.help, samples: new Map() });
    } else {
      const sample = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`).exec(line);
      if (sample === null) throw new Error(`not a sample: ${line}`);
      const [, name, labels = "", value] = sample;
      const family = families.get(name!);
      if (family === undefined || open?.name !== name) throw new Error(`outside of its family: ${line}`);
      if (!VALUE.test(value!)) throw new Error(`not a number: ${line}`);
      const key = sorted(labels, line);
      if (family.samples.has(key)) throw new Error(`twice: ${line}`);
      family.samples.set(key, Number(value!.replace("Inf", "Infinity")));
    }
  }
  for (const [name, { samples }] of families) if (samples.size === 0) throw new Error(`${name} has no samples`);
  return families;
}

function sorted(labels: string, line: string): string {
  const pairs = labelsOf(labels, line);
  const names = new Set(pairs.map(([name]) => name));
  if (names.size < pairs.length) throw new Error(`a label comes twice: ${line}`);
  return pairs.length === 0
    ? ""
    : `{${pairs
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, value]) => `${name}="${value}"`)
        .join(",")}}`;
}

/** Names and values as they are written. */
export function labelsOf(labels: string, line = labels): [name: string, value: string][] {
  const pairs: [string, string][] = [];
  LABEL.lastIndex = 0;
  for (let at = 0; at < labels.length; at = LABEL.lastIndex) {
    LABEL.lastIndex = at;
    const match = LABEL.exec(labels);
    if (match === null) throw new Error(`not labels: ${line}`);
    pairs.push([match[1]!, match[2]!]);
  }
  return pairs;
}

export const plain = (value: string): string => value.replaceAll(/\\([\\"n])/g, (_, c: string) => (c === "n" ? "\n" : c));
