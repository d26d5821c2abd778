import type { Conn, Operation, Service } from "../src/director/director.ts";
import { endpointText, serviceId } from "../src/director/director.ts";
import type { Side } from "./network.ts";
import { type Plane, type Seen, withoutChoice } from "./plane.ts";
import { invalid } from "./valid.ts";

/** A script that two planes follow side by side, and where they part. */

export type Step =
  | { readonly do: "send"; readonly frame: Uint8Array; readonly by: Side }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "apply"; readonly operation: Operation };

export type Script = readonly Step[];

/** Where the planes did not agree, or what was wrong all the same. */
export interface Disagreement {
  readonly at: number;
  readonly what: string;
}

/** Two planes on the same way; the first is right. */
export class Pair {
  readonly #right: Plane;
  readonly #left: Plane;
  steps = 0;

  constructor(right: Plane, left: Plane) {
    this.#right = right;
    this.#left = left;
  }

  /** What a script before has left behind. */
  reset(): string | undefined {
    this.steps = 0;
    const left = [...this.#right.reset(), ...this.#left.reset()];
    return left.length === 0 ? undefined : `when all is over: ${left.join("\n")}`;
  }

  /** What the planes do not agree about after this step. */
  follow(step: Step): Disagreement | undefined {
    const what = this.#do(step);
    return what === undefined ? void this.steps++ : { at: this.steps, what };
  }

  #do(step: Step): string | undefined {
    switch (step.do) {
      case "send":
        return this.#send(step.frame, step.by);
      case "wait":
        this.#right.wait(step.ms);
        this.#left.wait(step.ms);
        return this.differences();
      case "apply":
        return this.#apply(step.operation);
    }
  }

  #send(frame: Uint8Array, by: Side): string | undefined {
    if (!this.#left.takes(frame)) return undefined;
    const right = this.#right.send(frame, by);
    const left = this.#left.send(frame, by);
    const isSame = sameSeen(right, left);
    if (!isSame) {
      const [a, b] = [seenText(withoutChoice(right)), seenText(withoutChoice(left))];
      if (a !== b) return differing(this.#right, a, this.#left, b);
    }
    if (right.frame === undefined || invalid(frame) !== undefined) return undefined;
    return broken(right) ?? (isSame ? undefined : broken(left));
  }

  #apply(operation: Operation): string | undefined {
    const [a, b] = [this.#right, this.#left].map((plane) => attempt(() => plane.apply([operation])));
    return a === b ? undefined : differing(this.#right, a ?? "", this.#left, b ?? "");
  }

  /** What the planes hold, compared. */
  differences(): string | undefined {
    const [a, b] = [stateText(this.#right), stateText(this.#left)];
    if (!sameState(a, b)) return differing(this.#right, a.join("\n"), this.#left, b.join("\n"));
    const complaints = [...this.#right.complaints(), ...this.#left.complaints()];
    return complaints.length === 0 ? undefined : complaints.join("\n");
  }
}

/** @param isStrict look at all that the planes hold after each step, not only where time passes */
export function follow(pair: Pair, script: Script, isStrict = false): Disagreement | undefined {
  pair.reset();
  for (const [at, step] of script.entries()) {
    const disagreement = pair.follow(step);
    if (disagreement !== undefined) return disagreement;
    const what = isStrict && step.do === "send" ? pair.differences() : undefined;
    if (what !== undefined) return { at, what };
  }
  const what = pair.differences() ?? pair.reset();
  return what === undefined ? undefined : { at: script.length - 1, what };
}

function attempt(action: () => void): string {
  try {
    action();
    return "done";
  } catch (error) {
    return String(error);
  }
}

/** To the byte, which is how most packets leave. */
const sameSeen = (a: Seen, b: Seen): boolean =>
  a.verdict === b.verdict &&
  a.reason === b.reason &&
  (a.frame === undefined || b.frame === undefined ? a.frame === b.frame : Buffer.compare(a.frame, b.frame) === 0);

const differing = (right: Plane, a: string, left: Plane, b: string): string =>
  a.includes("\n") || b.includes("\n") ? `${right.name}:\n${a}\n${left.name}:\n${b}` : `${right.name}: ${a}\n${left.name}: ${b}`;

const broken = (seen: Seen): string | undefined => {
  const problem = seen.frame && invalid(seen.frame);
  return problem && `leaves with a wrong ${problem}: ${seenText(seen)}`;
};

export const seenText = ({ verdict, reason, frame }: Seen): string =>
  `${verdict} ${reason}${frame === undefined ? "" : ` ${Buffer.from(frame).toString("hex")}`}`;

/** "tcp 10.1.0.3:1004 10.1.0.100:80 10.2.0.11:80 nat SYN_RECV active 60 s" */
export function connText({ protocol, client, virtual, dest, local, method, state, active, template, expiresIn }: Conn): string {
  const places = [client, virtual, dest, ...(local ? [local] : [])].map(endpointText).join(" ");
  return `${protocol} ${places} ${template ? "template" : method} ${state} ${active ? "active" : "inactive"} ${expiresIn} s`;
}

function serviceLines(service: Service): string[] {
  const { conns, inPackets, outPackets, inBytes, outBytes } = service.counters;
  const name = serviceId(service.key);
  const dests = service.dests.map((dest) => {
    const { activeConns, inactiveConns, persistConns, counters: c } = dest;
    const held = `${activeConns}/${inactiveConns}/${persistConns}`;
    return `${name} ${endpointText(dest)} w${dest.weight} holds ${held} counts ${c.conns} ${c.inPackets} ${c.outPackets} ${c.inBytes} ${c.outBytes}`;
  });
  const pool = service.localAddresses.map(({ addr, conflicts, conns: held }) => `${name} local ${addr} ${conflicts} ${held}`);
  return [`${name} counts ${conns} ${inPackets} ${outPackets} ${inBytes} ${outBytes}`, ...dests, ...pool];
}

/** All that a plane shows, as lines. */
export function stateText(plane: Plane): string[] {
  return [...plane.services().flatMap(serviceLines), ...plane.conns().map(connText).sort(), `${plane.size()} conns`];
}

/** Equal up to a second of what conns have left. */
function sameState(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, i) => line === b[i] || isSameConn(line, b[i]!));
}

const leftOf = /^(.*) (\d+) s$/;

function isSameConn(a: string, b: string): boolean {
  const [, one, left] = leftOf.exec(a) ?? [];
  const [, other, right] = leftOf.exec(b) ?? [];
  return one !== undefined && one === other && Math.abs(Number(left) - Number(right)) <= 1;
}
