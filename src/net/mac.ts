/** An Ethernet address in lower-case text, "02:00:00:00:00:01". Compare with ===. */
export type Mac = string & { readonly brand: unique symbol };

/** The only door from text. */
export function parseMac(text: string): Mac | undefined {
  return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text) ? (text.toLowerCase() as Mac) : undefined;
}

/** parseMac for addresses that the program itself wrote down. */
export function mac(text: string): Mac {
  const parsed = parseMac(text);
  if (parsed === undefined) throw new TypeError(`not an Ethernet address: ${text}`);
  return parsed;
}

export const macBytes = (address: Mac): Uint8Array => Uint8Array.from(address.split(":"), (part) => Number.parseInt(part, 16));

/** From six bytes; undefined for any other number of them (links without an Ethernet address have 0, 4, 16 or 20). */
export function macFromBytes(bytes: Uint8Array): Mac | undefined {
  if (bytes.length !== 6) return undefined;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":") as Mac;
}
