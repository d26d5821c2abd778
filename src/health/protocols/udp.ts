import type { Result } from "../checker.ts";
import type { ReplyRule } from "../config.ts";
import { bad, good } from "../dialogue.ts";

/** UDP_CHECK (spec 4.7): silence is good unless an answer is wanted. */

const TEXT = "keepalived check - ";
/** What is sent when the configuration names nothing: 32 bytes. */
export const defaultPayload: string = Buffer.from(TEXT.repeat(2).slice(0, 32)).toString("hex");

export function judgeUdp(bytes: Uint8Array, rule: ReplyRule | undefined): Result {
  if (rule === undefined) return good;
  const { length } = bytes;
  if (length < rule.minLength || length > rule.maxLength) return bad(`reply of ${length} bytes`);
  const wanted = hexPattern(rule.pattern);
  if (length < wanted.bytes.length) return bad("reply data mismatch");
  return wanted.bytes.every((byte, i) => ((byte ^ bytes[i]!) & wanted.mask[i]!) === 0) ? good : bad("reply data mismatch");
}

/** Nothing came in time. */
export const silentUdp = (rule: ReplyRule | undefined): Result => (rule === undefined ? good : bad("timeout"));

/** "0a 1X XX": X stands for four bits that are not compared. Digits are read in pairs; an odd last one is a byte of its own. */
export function hexPattern(text: string): { bytes: Uint8Array; mask: Uint8Array } {
  const pairs = text.replace(/\s+/g, "").match(/..?/g) ?? [];
  const byte = (pair: string, digit: (d: string) => number): number => [...pair].reduce((n, d) => (n << 4) | digit(d), 0);
  const isAny = (d: string): boolean => d === "X" || d === "x";
  return {
    bytes: Uint8Array.from(pairs, (pair) => byte(pair, (d) => (isAny(d) ? 0 : Number.parseInt(d, 16)))),
    mask: Uint8Array.from(pairs, (pair) => byte(pair, (d) => (isAny(d) ? 0 : 15)) | (pair.length === 1 ? 0xf0 : 0)),
  };
}
