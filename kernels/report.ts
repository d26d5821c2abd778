/** What the suite says of a kernel, a line of JSON for each event. */

export type Event =
  | { readonly kernel: string }
  /** `fault`: why the kernel does not take it. */
  | { readonly object: string; readonly fault?: string }
  | { readonly test: string; readonly outcome: "passed" | "failed" | "skipped"; readonly words?: string }
  /** All that was to be done has been done. */
  | { readonly end: true };

export interface Report {
  readonly kernel: string;
  readonly objects: number;
  readonly passed: number;
  readonly skipped: number;
  /** Everything that is wrong, a text each; none: the kernel is supported. */
  readonly problems: readonly string[];
}

/** @param lines as they came, the last one possibly cut; @param ended how the suite's process or machine ended */
export function reportOf(lines: string, ended: string): Report {
  const { events, garbled } = parse(lines);
  const tests = events.filter((event) => "test" in event);
  const objects = events.filter((event) => "object" in event);
  const count = (outcome: string): number => tests.filter((test) => test.outcome === outcome).length;
  const problems = [
    ...objects.flatMap(({ object, fault }) => (fault === undefined ? [] : [`${object} does not load: ${fault}`])),
    ...tests.flatMap(({ test, outcome, words }) => (outcome === "failed" ? [`${test}: ${words}`] : [])),
    ...garbled.map((line) => `not understood: ${line}`),
  ];
  if (!events.some((event) => "end" in event)) problems.push(`it did not come to its end: ${ended}`);
  else if (count("passed") === 0) problems.push("no test passed");
  const kernel = events.find((event) => "kernel" in event)?.kernel ?? "a kernel that said nothing";
  return { kernel, objects: objects.length, passed: count("passed"), skipped: count("skipped"), problems };
}

function parse(lines: string): { events: readonly Event[]; garbled: readonly string[] } {
  const events: Event[] = [];
  const garbled: string[] = [];
  for (const line of lines.split(/\r?\n/).filter((each) => each !== "")) {
    try {
      events.push(JSON.parse(line) as Event);
    } catch {
      garbled.push(line);
    }
  }
  return { events, garbled };
}

export function reportText({ kernel, objects, passed, skipped, problems }: Report, seconds: number): string {
  const counted = `${objects} objects, ${passed} tests passed, ${skipped} skipped, ${problems.length} problems in ${seconds} s`;
  return [`${problems.length === 0 ? "ok    " : "FAILED"}  ${kernel}: ${counted}`, ...problems].join("\n  ");
}
