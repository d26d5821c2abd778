import type { SessionConfig } from "../../bfd/config.ts";
import type { BfdRefusal, Listener } from "../../bfd/receive.ts";
import { newSession, type Session } from "../../bfd/session.ts";
import type { Sender } from "./ports.ts";

/** A session at work: what it is configured to be, and what has become of it. */
export interface Unit extends Listener {
  config: SessionConfig;
  session: Session;
  /** Opened when it first sends. */
  sender: Sender | undefined;
  /** What could not be sent, said once. */
  sendError: string;
  /** When it entered its state. */
  since: number;
  /** When it was last down after it had been up or on its way, and why. */
  fell: undefined | { readonly at: number; readonly diagnostic: number };
  readonly counters: {
    sent: number;
    received: number;
    /** How often it came up. */
    ups: number;
    readonly refused: Map<BfdRefusal, number>;
  };
}

export const newUnit = (config: SessionConfig, discriminator: number, now: number): Unit => ({
  ...{ config, session: newSession(config, discriminator), sender: undefined, sendError: "", since: now, fell: undefined },
  counters: { sent: 0, received: 0, ups: 0, refused: new Map() },
});
