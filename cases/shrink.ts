import type { Script, Step } from "./script.ts";

/**
 * A script as short as can be that still fails: pieces of it are left out, larger ones first, as long as that does not help it.
 * @param fails does this script still fail?
 * @param tries at most so many scripts are tried
 */
export function shrink(script: Script, fails: (script: Script) => boolean, tries = 600): Script {
  let best: readonly Step[] = script;
  let left = tries;
  const leaveOut = (size: number): boolean => {
    const before = best.length;
    for (let at = best.length - size; at > -size && left > 0; at -= size) {
      const from = Math.max(at, 0);
      const without = [...best.slice(0, from), ...best.slice(from + size)];
      left--;
      if (without.length < best.length && fails(without)) best = without;
    }
    return best.length < before;
  };
  for (let size = Math.ceil(best.length / 2); size > 1; size = Math.ceil(size / 2)) leaveOut(size);
  while (leaveOut(1) && left > 0);
  return best;
}
