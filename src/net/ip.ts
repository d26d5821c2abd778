import { isIPv4, isIPv6 } from "node:net";

/** An IP address in canonical text (IPv6 by RFC 5952). Compare with ===, use as a Map key, print as it is. */
export type Ip = string & { readonly brand: unique symbol };
export type Family = "ipv4" | "ipv6";

export const ANY4 = "0.0.0.0" as Ip;
export const ANY6 = "::" as Ip;

/** The only door from text. Accepts dotted IPv4 and any IPv6 spelling without a zone; undefined for the rest. */
export function parseIp(text: string): Ip | undefined {
  if (isIPv4(text)) return text as Ip;
  if (isIPv6(text) && !text.includes("%")) return ipFromBytes(ipv6Bytes(text));
  return undefined;
}

/** parseIp for addresses that the program itself wrote down. */
export function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new TypeError(`not an IP address: ${text}`);
  return parsed;
}

export const familyOf = (address: Ip): Family => (address.includes(":") ? "ipv6" : "ipv4");
export const anyOf = (family: Family): Ip => (family === "ipv4" ? ANY4 : ANY6);

/** The address as a number in host order. */
export const uint32FromIp = (address: Ip): number => address.split(".").reduce((n, part) => ((n << 8) | Number(part)) >>> 0, 0);
export const ipFromUint32 = (n: number): Ip => `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}` as Ip;

/** 4 or 16 bytes in network order. */
export function ipBytes(address: Ip): Uint8Array {
  return familyOf(address) === "ipv4" ? Uint8Array.from(address.split("."), Number) : ipv6Bytes(address);
}

/** From 4 or 16 bytes in network order. */
export function ipFromBytes(bytes: Uint8Array): Ip {
  if (bytes.length === 4) return bytes.join(".") as Ip;
  if (bytes.length !== 16) throw new RangeError(`an address has 4 or 16 bytes, not ${bytes.length}`);
  const words: number[] = [];
  for (let i = 0; i < 16; i += 2) words.push(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0));
  return ipv6Text(words);
}

function ipv6Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(16);
  const tail = text.slice(text.lastIndexOf(":") + 1);
  const plain = tail.includes(".") ? text.slice(0, -tail.length) + hexTail(tail) : text;
  const [head = "", rest] = plain.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = rest === undefined || rest === "" ? [] : rest.split(":");
  const words = [...left, ...new Array<string>(8 - left.length - right.length).fill("0"), ...right];
  words.forEach((word, i) => {
    const value = Number.parseInt(word, 16);
    bytes[2 * i] = value >> 8;
    bytes[2 * i + 1] = value & 255;
  });
  return bytes;
}

function hexTail(dotted: string): string {
  const n = uint32FromIp(dotted as Ip);
  return `${(n >>> 16).toString(16)}:${(n & 0xffff).toString(16)}`;
}

/** RFC 5952: lower case, no leading zeros, the longest run of two or more zero words (the first of equals) as "::". */
function ipv6Text(words: readonly number[]): Ip {
  let at = -1;
  let longest = 1;
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (i + run < 8 && words[i + run] === 0) run++;
    if (run > longest) [at, longest] = [i, run];
    if (run > 0) i += run - 1;
  }
  const hex = (part: readonly number[]) => part.map((word) => word.toString(16)).join(":");
  const mapped = at === 0 && longest === 5 && words[5] === 0xffff; // ::ffff:a.b.c.d
  if (mapped) return `::ffff:${ipFromUint32((((words[6] ?? 0) << 16) | (words[7] ?? 0)) >>> 0)}` as Ip;
  return (at < 0 ? hex(words) : `${hex(words.slice(0, at))}::${hex(words.slice(at + longest))}`) as Ip;
}
