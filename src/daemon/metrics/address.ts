/** Where metrics are served. */
export interface Address {
  /** "": every address of this host. */
  readonly host: string;
  readonly port: number;
}

/** "127.0.0.1:9130", "[::1]:9130", ":9130"; undefined: no such thing. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  return match === null || port > 65535 ? undefined : { host: match[1] ?? match[2] ?? "", port };
}
