/** The dumps of keepalived, by what `lvsctl dump` calls them. */
export const dumpNames = ["data", "stats", "json", "checks", "bfd", "parent"] as const;
export type DumpName = (typeof dumpNames)[number];
