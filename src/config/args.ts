import { type Family, familyOf, type Ip, parseIp } from "../net/ip.ts";
import { nearest } from "./source.ts";
import type { Arg, Reading } from "./table.ts";
import { splitScript, type Word } from "./tokens.ts";

/** How the arguments of keywords are read. Each reader says what it wants in `usage` and reports what it does not get. */

/** The first argument, or a problem. */
export function first(r: Reading): Word | undefined {
  const word = r.args[0];
  return word ?? r.lacks(r.keyword);
}

/** A whole number as keepalived reads it: decimal, a sign is fine, an empty text is 0. NaN when it is none. */
export function wholeNumber(text: string): number {
  return /^\s*[+-]?\d*$/.test(text) && !/[+-]$/.test(text) ? Number(text === "" ? 0 : text) : Number.NaN;
}

export function readInt(r: Reading, word: Word, min: number, max: number): number | undefined {
  const n = wholeNumber(word.text);
  if (Number.isNaN(n)) return r.error(word, `'${word.text}' is not a whole number`);
  return n >= min && n <= max ? n : r.error(word, `${word.text} is outside ${min}..${max}`);
}

export const int = (min: number, max: number): Arg<number> => ({
  usage: `N (${min}..${max})`,
  read(r) {
    const word = first(r);
    return word && readInt(r, word, min, max);
  },
});

export const UINT = 4294967295;
export const uint: Arg<number> = { ...int(0, UINT), usage: "N" };

/** A count that keepalived wants above zero but only grumbles about: 0 becomes 1 with a problem. */
export const count: Arg<number> = {
  usage: "N (1..)",
  read(r) {
    const n = int(0, UINT).read(r);
    if (n === 0) r.error(r.args[0], `'${r.keyword.text}' must be greater than 0, 1 is used`);
    return n === 0 ? 1 : n;
  },
};

/** A decimal with at most `decimals` places. */
export function readDecimal(r: Reading, word: Word, min: number, max: number, decimals: number): number | undefined {
  const match = /^\s*\+?(\d*)(?:\.(\d*))?$/.exec(word.text);
  if (match === null) return r.error(word, `'${word.text}' is not a number of seconds`);
  if ((match[2] ?? "").length > decimals) return r.error(word, `'${word.text}' has more than ${decimals} decimal places`);
  const value = Number(`${match[1] || "0"}.${match[2] || "0"}`);
  return value >= min && value <= max ? value : r.error(word, `${word.text || "0"} is outside ${min}..${max}`);
}

/** Seconds with a resolution of a microsecond. */
export const seconds = (min: number, max: number): Arg<number> => ({
  usage: max > 1e9 ? `SECONDS (${min === 0 ? "" : "above "}0..)` : `SECONDS (${min}..${max})`,
  read(r) {
    const word = first(r);
    return word && readDecimal(r, word, min, max, 6);
  },
});

/** Milliseconds with a resolution of a microsecond (BFD). */
export const millis = (min: number, max: number): Arg<number> => ({
  usage: `MILLISECONDS (${min}..${max})`,
  read(r) {
    const word = first(r);
    return word && readDecimal(r, word, min, max, 3);
  },
});

export const MICRO = 0.000001;
export const ANY_SECONDS = 18446744073709.55;

const TRUE = new Set(["true", "on", "yes"]);
const FALSE = new Set(["false", "off", "no"]);

/** An optional boolean; the bare word means true. */
export const bool: Arg<boolean> = {
  usage: "[on|off]",
  read(r) {
    const word = r.args[0];
    if (word === undefined || TRUE.has(word.text)) return true;
    return FALSE.has(word.text) ? false : r.error(word, `'${word.text}' is not one of on, off, true, false, yes, no`);
  },
};

/** A word that stands alone; whatever follows is not looked at. */
export const flag: Arg<boolean> = { usage: "", read: () => true };

/** `flag`, and an off-word turns it off all the same. */
export const looseBool: Arg<boolean> = { usage: "[on|off]", read: (r) => !FALSE.has(r.args[0]?.text ?? "") };

export const text: Arg<string> = { usage: "TEXT", read: (r) => first(r)?.text };
export const name: Arg<string> = { ...text, usage: "NAME" };
export const path: Arg<string> = { ...text, usage: "PATH" };
export const optionalText = (usage: string): Arg<string> => ({ usage: `[${usage}]`, read: (r) => r.args[0]?.text ?? "" });

/** Exactly one word. */
export const onlyText: Arg<string> = {
  usage: "TEXT",
  read: (r) => (r.args.length > 1 ? r.error(r.args[1], `'${r.keyword.text}' takes one value`) : first(r)?.text),
};

/** A text of at most `most` characters; a longer one is cut with a problem. */
export const shortText = (most: number): Arg<string> => ({
  usage: `TEXT (up to ${most} characters)`,
  read(r) {
    const word = first(r);
    if (word === undefined) return undefined;
    if (word.text.length > most) r.error(word, `longer than ${most} characters, the rest is cut off`);
    return word.text.slice(0, most);
  },
});

/** One of a few words, as they are written. */
export const oneOf = <W extends string>(...words: readonly W[]): Arg<W> => ({
  usage: words.join("|"),
  read(r) {
    const word = first(r);
    if (word === undefined) return undefined;
    const found = words.find((w) => w === word.text);
    return found ?? r.error(word, `'${word.text}' is not one of ${words.join(", ")}`, nearest(word.text, words));
  },
});

/** One of a few words in any case. */
export const oneOfAnyCase = <W extends string>(...words: readonly W[]): Arg<W> => ({
  usage: words.join("|"),
  read(r) {
    const word = first(r);
    if (word === undefined) return undefined;
    const found = words.find((w) => w.toLowerCase() === word.text.toLowerCase());
    return found ?? r.error(word, `'${word.text}' is not one of ${words.join(", ")}`, nearest(word.text, words));
  },
});

export const ipArg = (family?: Family): Arg<Ip> => ({
  usage: family === "ipv4" ? "IPV4" : family === "ipv6" ? "IPV6" : "IP",
  read(r) {
    const word = first(r);
    if (word === undefined) return undefined;
    const ip = parseIp(word.text);
    if (ip === undefined) return r.error(word, `'${word.text}' is not an IP address`);
    return family === undefined || familyOf(ip) === family ? ip : r.error(word, `${word.text} is not an ${family} address`);
  },
});

export const isMulticast = (ip: Ip): boolean =>
  familyOf(ip) === "ipv4" ? /^(22[4-9]|23\d)\./.test(ip) : ip.startsWith("ff") && ip.indexOf(":") === 4;

export const isLinkLocal = (ip: Ip): boolean => /^fe[89ab][0-9a-f]:/.test(ip);

export const multicast = (family?: Family): Arg<Ip> => ({
  usage: family === "ipv6" ? "MULTICAST-IPV6" : "MULTICAST-IP",
  read(r) {
    const ip = ipArg(family).read(r);
    return ip === undefined || isMulticast(ip) ? ip : r.error(r.args[0], `${ip} is not a multicast address`);
  },
});

/** An interface that must exist, as far as the facts tell. `severity` is for words that keepalived does not check. */
export function readInterface(r: Reading, word: Word): string {
  if (r.facts.interfaces !== undefined && !r.facts.interfaces.has(word.text)) r.absent(word, word.text);
  return word.text;
}

/** An interface name that is not looked up. */
export const interfaceName: Arg<string> = {
  usage: "INTERFACE",
  read(r) {
    const word = first(r);
    return word && word.text.length > 15 ? r.error(word, "an interface name has at most 15 characters") : word?.text;
  },
};

/** A program with its arguments, and who runs it. */
export interface Script {
  readonly command: readonly string[];
  readonly user?: string;
  readonly group?: string;
}

export function checkUser(r: Reading, user: Word | undefined, group: Word | undefined): boolean {
  const { users, groups } = r.facts;
  if (user !== undefined && users !== undefined && !users.has(user.text)) r.error(user, `there is no user '${user.text}'`);
  else if (group !== undefined && groups !== undefined && !groups.has(group.text))
    r.error(group, `there is no group '${group.text}'`);
  else return true;
  return false;
}

/** A quoted word is split again into program and arguments (spec 2.2). */
export const commandOf = (word: Word): readonly string[] => splitScript(word.text);

/** Script, then user and group; who does not exist disables the script without an error. */
export const script: Arg<Script> = {
  usage: "SCRIPT [USER [GROUP]]",
  read(r) {
    const word = first(r);
    if (word === undefined) return undefined;
    const [, user, group] = r.args;
    const known = user === undefined || r.facts.users === undefined || r.facts.users.has(user.text);
    if (!known) return r.warn(user, `there is no user '${user.text}', the script is disabled`);
    return { command: commandOf(word), ...(user && { user: user.text }), ...(group && { group: group.text }) };
  },
};

export interface UserGroup {
  readonly user: string;
  readonly group?: string;
}

export const userGroup: Arg<UserGroup> = {
  usage: "USER [GROUP]",
  read(r) {
    const user = first(r);
    if (user === undefined || !checkUser(r, user, r.args[1])) return undefined;
    return r.args[1] === undefined ? { user: user.text } : { user: user.text, group: r.args[1].text };
  },
};

/** What a tracker adds to a priority. */
export interface Weight {
  readonly weight: number;
  /** Counts when the tracked thing is up instead of down, and the other way round. */
  readonly reverse: boolean;
}

export const weight = (min: number, max: number): Arg<Weight> => ({
  usage: `N (${min}..${max}) [reverse]`,
  read(r) {
    const word = first(r);
    if (word === undefined) return undefined;
    const n = readInt(r, word, min, max);
    const option = r.args[1];
    if (option !== undefined && option.text !== "reverse") r.error(option, `'${option.text}' is not 'reverse'`);
    return n === undefined ? undefined : { weight: n, reverse: option?.text === "reverse" };
  },
});

/** Nothing is expected after the keyword; more is not looked at. */
export const nothing: Arg<undefined> = { usage: "", read: () => undefined };
