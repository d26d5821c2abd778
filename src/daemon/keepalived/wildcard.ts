/** The shell's wildcards within one name: `*`, `?`, `[a-z]`, `[!a-z]`. In time of length times length, whatever the pattern. */

/** What one character must be; "*": any number of any. */
export type Sign = "*" | ((character: string) => boolean);

export const signsOf = (pattern: string): readonly Sign[] =>
  [...pattern.matchAll(/\[!?\]?[^\]]*\]|\*+|[\s\S]/gu)].map(([piece]) => {
    if (piece.startsWith("*")) return "*";
    if (piece === "?") return () => true;
    if (piece.length > 1 && piece.startsWith("[")) return oneOf(piece.slice(1, -1));
    return (character) => character === piece;
  });

function oneOf(inside: string): (character: string) => boolean {
  const isNot = inside.startsWith("!");
  const parts = [...inside.slice(isNot ? 1 : 0).matchAll(/([\s\S])-([\s\S])|[\s\S]/gu)];
  const has = (c: string): boolean =>
    parts.some(([whole, from, to]) => (from === undefined ? c === whole : c >= from && c <= to!));
  return (character) => has(character) !== isNot;
}

export function fits(signs: readonly Sign[], name: string): boolean {
  const characters = [...name];
  let [at, sign, star, from] = [0, 0, -1, 0];
  while (at < characters.length) {
    const wanted = signs[sign];
    if (wanted === "*") [star, from] = [sign++, at];
    else if (wanted?.(characters[at]!)) [at, sign] = [at + 1, sign + 1];
    else if (star >= 0)
      [at, sign] = [++from, star + 1]; // the last star takes one more
    else return false;
  }
  return signs.slice(sign).every((rest) => rest === "*");
}
