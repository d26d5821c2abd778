import { Fault } from "../fault.ts";
import {
  emitMessage,
  type NetlinkAnswer,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  parseAnswer,
  parseMessages,
} from "./netlink.ts";

/** Where requests go and answers come from: a netlink socket, or a test's script. */
export interface NetlinkPort {
  send(bytes: Uint8Array): void;
  /** The next datagram. Waits for it, not for ever: throws a Fault (EAGAIN) when none comes. */
  receive(): Uint8Array;
}

/** How often a dump that was disturbed is repeated before the disturbed one is taken. */
const DUMP_TRIES = 5;

/** Questions to the kernel, one after the other, each answered before the next. Multicast groups need a port of their own. */
export class NetlinkClient {
  readonly #port: NetlinkPort;
  #sequence = 0;

  constructor(port: NetlinkPort) {
    this.#port = port;
  }

  /**
   * Asks and waits for the acknowledgement. Returns what came before it. Throws a Fault with the kernel's errno and words.
   * @param op what is tried, for the Fault: "add address 10.0.0.1/32"
   * @param flags NLM_F_CREATE and the like
   */
  request(op: string, type: number, flags: number, payload: Uint8Array): NetlinkMessage[] {
    const { messages } = this.#exchange(op, type, flags | NLM_F_ACK, payload);
    return messages;
  }

  /** Everything of a kind. Repeated when the kernel says that a change came in between. Throws as request does. */
  dump(op: string, type: number, payload: Uint8Array): NetlinkMessage[] {
    for (let left = DUMP_TRIES; ; left--) {
      const { messages, disturbed } = this.#exchange(op, type, NLM_F_DUMP, payload);
      if (!disturbed || left <= 1) return messages;
    }
  }

  #exchange(op: string, type: number, flags: number, payload: Uint8Array): { messages: NetlinkMessage[]; disturbed: boolean } {
    this.#sequence = (this.#sequence + 1) >>> 0;
    this.#port.send(emitMessage({ type, flags: flags | NLM_F_REQUEST, sequence: this.#sequence, port: 0, payload }));
    const messages: NetlinkMessage[] = [];
    let disturbed = false;
    for (;;) {
      for (const message of parseMessages(this.#receive(op))) {
        if (message.sequence !== this.#sequence) continue; // of a question that was given up
        disturbed ||= (message.flags & NLM_F_DUMP_INTR) !== 0;
        const answer = parseAnswer(message);
        if (answer === undefined) messages.push(message);
        else if (answer.errno === 0) return { messages, disturbed };
        else throw refusal(op, answer);
      }
    }
  }

  #receive(op: string): Uint8Array {
    try {
      return this.#port.receive();
    } catch (cause) {
      throw new Fault(op, cause instanceof Fault ? cause.code : "EIO", "no answer", cause);
    }
  }
}

const refusal = (op: string, { errno, text }: NetlinkAnswer): Fault => Fault.fromErrno(op, errno, text === "" ? "refused" : text);
