import type { DataPathPlane } from "./data-path-plane.ts";
import { Generator } from "./generate.ts";
import type { Hook } from "./hook.ts";
import { ModelPlane } from "./model-plane.ts";
import { Random } from "./random.ts";
import { type Disagreement, follow, Pair, type Script, type Step } from "./script.ts";
import { shrink } from "./shrink.ts";

/** Random scripts, followed by the model and the data path side by side until they part. */

export interface Limits {
  /** Stop after so many ms. */
  readonly ms: number;
  readonly packets: number;
}

/** The hooks that scripts take turns with, by their seeds. */
export type Hooks = readonly [Hook["name"], ...Hook["name"][]];

export interface Failure {
  readonly seed: number;
  readonly hook: Hook["name"];
  readonly script: Script;
  readonly disagreement: Disagreement;
}

export interface Fuzzed {
  readonly scripts: number;
  readonly packets: number;
  /** Disagreements that did not come again when the script was repeated: the machine was held up while time stood still. */
  readonly passing: number;
  readonly failure?: Failure;
}

const PACKETS_PER_SCRIPT = 300;

/** @param seed of the first script; the others' follow */
export function fuzz(
  plane: DataPathPlane,
  hooks: Hooks,
  seed: number,
  limits: Limits,
  tell: (fuzzed: Fuzzed) => void = () => {},
): Fuzzed {
  const model = new ModelPlane(plane.capacity);
  const pair = new Pair(model, plane);
  const until = performance.now() + limits.ms;
  let [packets, scripts, passing] = [0, 0, 0];
  pair.reset();
  for (; performance.now() < until && packets < limits.packets; scripts++) {
    const hook = hooks[(seed + scripts) % hooks.length]!;
    plane.through(hook);
    const { script, disagreement } = one(pair, model, seed + scripts, limits.packets - packets);
    packets += script.filter((step) => step.do === "send").length;
    if (disagreement !== undefined) {
      const again = follow(pair, script);
      if (again === undefined) passing++;
      else return { scripts, packets, passing, failure: { seed: seed + scripts, hook, script, disagreement: again } };
    }
    tell({ scripts, packets, passing });
  }
  return { scripts, packets, passing };
}

/** Begins and ends with nothing there. */
function one(pair: Pair, model: ModelPlane, seed: number, packets: number): { script: Script; disagreement?: Disagreement } {
  const script: Step[] = [];
  for (const step of new Generator(new Random(seed), model).steps(Math.min(PACKETS_PER_SCRIPT, packets))) {
    script.push(step);
    const disagreement = pair.follow(step);
    if (disagreement !== undefined) return { script, disagreement };
  }
  const what = pair.differences() ?? pair.reset();
  return what === undefined ? { script } : { script, disagreement: { at: script.length - 1, what } };
}

/** The failure with all that is not needed for it left out. */
export function shrunk(plane: DataPathPlane, failure: Failure): Failure {
  const pair = new Pair(new ModelPlane(plane.capacity), plane.through(failure.hook));
  let { script, disagreement } = failure;
  const fails = (candidate: Script): boolean => {
    const found = follow(pair, candidate, true);
    if (found === undefined) return false;
    disagreement = found;
    return true;
  };
  if (fails(script)) script = script.slice(0, disagreement.at + 1);
  script = shrink(script, fails);
  fails(script);
  return { ...failure, script, disagreement };
}
