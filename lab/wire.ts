import { setTimeout as delay } from "node:timers/promises";
import { closeFd } from "../src/platform/process.ts";
import { interfaceIndex, openPacketSocket, receive, send } from "../src/platform/socket.ts";
import { type Host, netnsPath } from "./host.ts";

/** A host's interface, to send frames made by hand from and to read what arrives. */
export interface Wire {
  send(frame: Uint8Array): void;
  /** The next frame that `wanted` makes something of; undefined when none came in time (ms). */
  next<T>(wanted: (frame: Uint8Array) => T | undefined, timeout?: number): Promise<T | undefined>;
  close(): void;
}

const LONGEST_FRAME = 65_550; // bytes
const LOOK_EVERY = 5; // ms

export function openWire(host: Host, name: string): Wire {
  const namespace = netnsPath(host.netns);
  const ifindex = interfaceIndex(name, namespace);
  if (ifindex === undefined) throw new RangeError(`${host.name} has no interface ${name}`);
  const fd = openPacketSocket(ifindex, { namespace });
  const buffer = new Uint8Array(LONGEST_FRAME);
  return {
    send: (frame) => void send(fd, frame),
    async next(wanted, timeout = 2000) {
      for (const deadline = Date.now() + timeout; Date.now() < deadline; ) {
        const length = receive(fd, buffer);
        if (length === undefined) {
          await delay(LOOK_EVERY);
          continue;
        }
        const found = wanted(buffer.slice(0, length));
        if (found !== undefined) return found;
      }
      return undefined;
    },
    close: () => closeFd(fd),
  };
}
