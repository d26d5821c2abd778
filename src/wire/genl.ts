import { Fault } from "../fault.ts";
import { type Attributes, attribute, concat, parseAttributes, readText, textBytes } from "./netlink.ts";
import type { NetlinkClient } from "./netlink-client.ts";
import { readUint16, uint16Bytes } from "./netlink-numbers.ts";

/** Generic netlink: families of commands that have a name, and a number that the kernel gives them (spec 9.1). */

const GENL_HEADER_BYTES = 4;
/** The family that knows the others. */
const NLCTRL = 16;
const NLCTRL_VERSION = 2;
export const CTRL_CMD_NEWFAMILY = 1;
export const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;

/** What stands in a netlink message of a family: struct genlmsghdr and attributes. */
export interface GenlMessage {
  readonly command: number;
  readonly version: number;
  readonly attributes: Attributes;
}

export const emitGenl = (command: number, version: number, attributes: readonly Uint8Array[]): Uint8Array =>
  concat([Uint8Array.of(command, version, 0, 0), ...attributes]);

export function parseGenl(payload: Uint8Array): GenlMessage | undefined {
  const [command, version] = payload;
  if (command === undefined || version === undefined || payload.length < GENL_HEADER_BYTES) return undefined;
  return { command, version, attributes: parseAttributes(payload, GENL_HEADER_BYTES) };
}

export interface FamilyNumber {
  readonly id: number;
  readonly name: string;
}

export const emitFamily = (command: number, { id, name }: Partial<FamilyNumber>): Uint8Array =>
  emitGenl(command, NLCTRL_VERSION, [
    ...(id === undefined ? [] : [attribute(CTRL_ATTR_FAMILY_ID, uint16Bytes(id))]),
    ...(name === undefined ? [] : [attribute(CTRL_ATTR_FAMILY_NAME, textBytes(name))]),
  ]);

/** undefined: without a number. */
export function parseFamily({ attributes }: GenlMessage): FamilyNumber | undefined {
  const id = readUint16(attributes.get(CTRL_ATTR_FAMILY_ID));
  return id === undefined ? undefined : { id, name: readText(attributes.get(CTRL_ATTR_FAMILY_NAME)) };
}

/** The commands of one family, over a client that it may share with others. */
export class GenlFamily {
  readonly #client: NetlinkClient;
  readonly #id: number;
  readonly #version: number;

  constructor(client: NetlinkClient, id: number, version: number) {
    this.#client = client;
    this.#id = id;
    this.#version = version;
  }

  /** Does something, or asks for one thing. Throws a Fault with the kernel's errno. */
  request(op: string, command: number, ...attributes: readonly Uint8Array[]): readonly GenlMessage[] {
    return parseAll(this.#client.request(op, this.#id, 0, emitGenl(command, this.#version, attributes)));
  }

  /** Everything of a kind. Throws as request does. */
  dump(op: string, command: number, ...attributes: readonly Uint8Array[]): readonly GenlMessage[] {
    return parseAll(this.#client.dump(op, this.#id, emitGenl(command, this.#version, attributes)));
  }
}

const parseAll = (messages: readonly { readonly payload: Uint8Array }[]): GenlMessage[] =>
  messages.map(({ payload }) => parseGenl(payload)).filter((message) => message !== undefined);

/** Asks for a family by its name. Throws a Fault, ENOENT where the kernel has none of that name. */
export function findFamily(client: NetlinkClient, name: string, version: number): GenlFamily {
  const op = `find netlink family ${name}`;
  const answer = parseAll(client.request(op, NLCTRL, 0, emitFamily(CTRL_CMD_GETFAMILY, { name })));
  const found = answer.map(parseFamily).find((family) => family?.name === name);
  if (found === undefined) throw new Fault(op, "ENOENT", "the kernel answered without its number");
  return new GenlFamily(client, found.id, version);
}
