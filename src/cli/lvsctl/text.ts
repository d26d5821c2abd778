import { stripVTControlCharacters } from "node:util";
import { endpointText, type ServiceKey } from "../../director/director.ts";

/** Values as people read them. */

/** "tcp 10.0.0.1:80", "fwmark 5 ipv6" */
export const serviceText = (key: ServiceKey): string =>
  key.fwmark === undefined ? `${key.protocol} ${endpointText(key)}` : `fwmark ${key.fwmark} ${key.family}`;

const UNITS = ["", "k", "M", "G", "T", "P"];

/** 9999, 12.3k, 4.56M: four letters of number at most. */
export function short(n: number): string {
  if (n < 10_000) return String(n);
  let value = n;
  let unit = 0;
  for (; value >= 999.5 && unit < UNITS.length - 1; unit++) value /= 1000;
  return value.toPrecision(3) + UNITS[unit];
}

/** 59s, 4m 10s, 3h 0m, 12d 5h */
export function duration(seconds: number): string {
  const parts: [each: number, unit: string][] = [
    [86_400, "d"],
    [3600, "h"],
    [60, "m"],
    [1, "s"],
  ];
  const first = parts.findIndex(([each]) => seconds >= each);
  if (first < 0) return "0s";
  const words = parts
    .slice(first, first + 2)
    .map(([each, unit], i) => `${Math.floor((i === 0 ? seconds : seconds % parts[first]![0]) / each)}${unit}`);
  return words.join(" ");
}

/** A column's title, and on which side its cells stand. */
export interface Column {
  readonly title: string;
  readonly right?: boolean;
}

export const left = (title: string): Column => ({ title });
export const right = (title: string): Column => ({ title, right: true });

const widthOf = (cell: string): number => stripVTControlCharacters(cell).length;

/** Aligned lines, titles first, two spaces between the columns. Cells may hold colours. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  dim: (text: string) => string = (text) => text,
): string {
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...rows.map((row) => widthOf(row[i] ?? ""))));
  const line = (cells: readonly string[]) =>
    columns
      .map((column, i) => {
        const cell = cells[i] ?? "";
        const space = " ".repeat(widths[i]! - widthOf(cell));
        return column.right === true ? space + cell : cell + space;
      })
      .join("  ")
      .trimEnd();
  return [dim(line(columns.map(({ title }) => title))), ...rows.map(line)].map((text) => `${text}\n`).join("");
}
