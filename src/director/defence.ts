/** The defences against floods by their modes, which may follow the memory the host has left (spec 7.2). */

/** Pages that are free or hold buffers. */
export type AvailablePages = () => number;

/** What the defences have come to. */
export interface Defence {
  /** Half-open and idle conns are dropped. */
  readonly dropEntry: boolean;
  /** One of so many packets that would open a conn is dropped; 0: none. */
  readonly dropRate: number;
  /** TCP states by the careful table. */
  readonly secureTcp: boolean;
}

/** A setting and the mode it turns into. */
export type ModeChange = readonly [name: "drop_entry" | "drop_packet" | "secure_tcp", value: "1" | "2"];

/**
 * To be asked every second and when a setting was written. Mode 0 is off, 3 on; 1 and 2 are on while memory is short, and
 * turn into each other as it comes and goes: `modes` names those that have to be written back.
 */
export function evaluate(
  setting: (name: string) => string,
  availablePages: AvailablePages,
): { readonly defence: Defence; readonly modes: readonly ModeChange[] } {
  const threshold = Math.max(Number(setting("amemthresh")), 0);
  const available = isAutomatic(setting) ? availablePages() : threshold;
  const isShort = available < threshold;
  const modes: ModeChange[] = [];
  const isOn = (name: ModeChange[0]): boolean => {
    const mode = setting(name);
    if (mode === "1" && isShort) modes.push([name, "2"]);
    if (mode === "2" && !isShort) modes.push([name, "1"]);
    return mode === "3" || (isShort && mode !== "0");
  };
  const followed = isShort ? Math.floor(threshold / (threshold - available)) : 0;
  const rate = setting("drop_packet") === "3" ? Number(setting("am_droprate")) : followed;
  const dropRate = isOn("drop_packet") ? rate : 0;
  return { defence: { secureTcp: isOn("secure_tcp"), dropEntry: isOn("drop_entry"), dropRate }, modes };
}

/** Does any defence follow the memory? */
export const isAutomatic = (setting: (name: string) => string): boolean =>
  ["drop_entry", "drop_packet", "secure_tcp"].some((name) => setting(name) === "1" || setting(name) === "2");
