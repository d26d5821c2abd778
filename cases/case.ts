import { expect } from "vitest";
import { endpointText } from "../src/director/director.ts";
import type { Frame } from "../src/wire/build.ts";
import { operationOf, operationsOf } from "./lines.ts";
import type { Side } from "./network.ts";
import type { Plane, Seen } from "./plane.ts";
import { withoutChoice } from "./plane.ts";
import { describe } from "./print.ts";
import { connText } from "./script.ts";
import { invalid } from "./valid.ts";

/** Packet cases: a configuration, packets in, and what becomes of them. Each runs on every plane. */

export interface PacketCase {
  readonly name: string;
  /** Commands as for ipvsadm, and settings as for sysctl. */
  readonly setup: string;
  readonly steps: readonly CaseStep[];
  /** A plane that cannot do this yet, and why: it is skipped there, and said so. */
  readonly missing?: Readonly<Partial<Record<Plane["name"], string>>>;
}

export type Bytes = Frame | Uint8Array;

export type CaseStep =
  | {
      readonly do: "send";
      readonly frame: Bytes;
      readonly by: Side;
      /** "redirect nat": the verdict and the reason. */
      readonly becomes: string;
      /** The frame as it goes on. `same`: as it came. undefined: not looked at. */
      readonly out: Bytes | "same" | undefined;
    }
  | { readonly do: "wait"; readonly seconds: number }
  | { readonly do: "run"; readonly line: string }
  | { readonly do: "see"; readonly what: string; readonly of: (plane: Plane) => unknown; readonly is: unknown };

/** A frame from the client's side becomes something. */
export const client = (frame: Bytes, becomes: string, out?: Bytes | "same"): CaseStep => ({
  do: "send",
  by: "client",
  frame,
  becomes,
  out,
});
/** A frame from the servers' side. */
export const server = (frame: Bytes, becomes: string, out?: Bytes | "same"): CaseStep => ({
  do: "send",
  by: "server",
  frame,
  becomes,
  out,
});
export const wait = (seconds: number): CaseStep => ({ do: "wait", seconds });
export const run = (line: string): CaseStep => ({ do: "run", line });

/** The whole table: "tcp 10.1.0.3:1004 10.1.0.100:80 10.2.0.11:80 nat SYN_RECV active 60 s". */
export const conns = (...lines: string[]): CaseStep => ({
  ...{ do: "see", what: "conns", is: lines.toSorted() },
  of: (plane) => plane.conns().map(connText).toSorted(),
});

export const size = (is: number): CaseStep => ({ do: "see", what: "size of the table", is, of: (plane) => plane.size() });

function destOf(plane: Plane, name: string) {
  const dests = plane.services().flatMap((service) => service.dests);
  return dests.find((dest) => endpointText(dest) === name);
}

/** Of a dest, active and inactive conns: "1/0". */
export const holds = (dest: string, is: string): CaseStep => ({
  ...{ do: "see", what: `conns of ${dest}`, is },
  of: (plane) => [destOf(plane, dest)].map((found) => `${found?.activeConns}/${found?.inactiveConns}`).join(),
});

/** Of a dest: conns, packets in and out, bytes in and out. */
export const counts = (
  dest: string,
  ...is: [conns: number, inPackets: number, outPackets: number, inBytes: number, outBytes: number]
) => {
  const step: CaseStep = {
    ...{ do: "see", what: `counters of ${dest}`, is },
    of: (plane) =>
      [destOf(plane, dest)?.counters].flatMap((c) => [c?.conns, c?.inPackets, c?.outPackets, c?.inBytes, c?.outBytes]),
  };
  return step;
};

/** Of the only service: conns, packets in and out, bytes in and out. */
export const serviceCounts = (...is: [number, number, number, number, number]): CaseStep => ({
  ...{ do: "see", what: "counters of the service", is },
  of: (plane) => [plane.services()[0]?.counters].flatMap((c) => [c?.conns, c?.inPackets, c?.outPackets, c?.inBytes, c?.outBytes]),
});

/** Runs a case on a plane. Whatever leaves must have right checksums, if what came had them. */
export async function runCase(plane: Plane, { setup, steps }: PacketCase): Promise<void> {
  plane.reset();
  plane.apply(await operationsOf(setup));
  for (const [i, step] of steps.entries()) await runStep(plane, step, `step ${i + 1}`);
  plane.wait(20);
  expect([...plane.complaints(), ...plane.reset()], "at the end").toEqual([]);
}

async function runStep(plane: Plane, step: CaseStep, where: string): Promise<void> {
  switch (step.do) {
    case "send":
      return send(plane, step, where);
    case "wait":
      return plane.wait(step.seconds * 1000);
    case "run":
      return plane.apply([await operationOf(step.line)]);
    case "see":
      expect(step.of(plane), `${where}: ${step.what}`).toEqual(step.is);
  }
}

const bytesOf = (frame: Bytes): Uint8Array => (frame instanceof Uint8Array ? frame : frame.bytes());
const hex = (bytes: Uint8Array): string => `${describe(bytes)} ${Buffer.from(bytes).toString("hex")}`;

function send(plane: Plane, { frame, by, becomes, out }: CaseStep & { do: "send" }, where: string): void {
  const bytes = bytesOf(frame);
  const seen = plane.send(bytes, by);
  const about = `${where}: ${describe(bytes)}`;
  expect(`${seen.verdict} ${seen.reason}`, about).toBe(becomes);
  if (seen.frame !== undefined && invalid(bytes) === undefined) expect(invalid(seen.frame), about).toBeUndefined();
  if (out === undefined) return;
  const wanted: Seen = { ...seen, frame: out === "same" ? bytes : bytesOf(out) };
  const [is, should] = [seen, wanted].map((each) => hex(withoutChoice(each).frame ?? new Uint8Array()));
  expect(is, about).toBe(should);
}
