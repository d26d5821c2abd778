import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { explain } from "../../fault.ts";
import type { Result } from "../../health/checker.ts";
import type { Connection } from "../../health/config.ts";
import { bad, type Dialogue } from "../../health/dialogue.ts";
import { connectMarked } from "./connect.ts";
import type { Cancel, Done } from "./probe.ts";
import { expiryOf, type Tls, tlsOptions } from "./tls.ts";
import { troubleOf } from "./trouble.ts";

/** Connects and holds a conversation over TCP or TLS. The timeout begins anew with each step forward. */

export function converse(to: Connection, talk: Dialogue, tls: Tls | undefined, done: Done): Cancel {
  let socket: Socket | undefined;
  let giveUp: () => void = () => {};
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  let warning: string | undefined;

  const end = (result: Result | undefined): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    giveUp();
    socket?.destroy();
    if (result !== undefined) done(result.type === "ok" && warning !== undefined ? { ...result, warning } : result);
  };
  const forward = (): void => {
    clearTimeout(timer);
    if (!isOver) timer = setTimeout(() => end(bad("timeout")), to.timeout);
  };
  /** The last words are on their way; whatever else happens does not count. */
  let verdict: Result | undefined;
  const fail = (error: unknown): void => end(verdict ?? troubleOf(error));

  const ready = (stream: Socket): void => {
    forward();
    if (talk.opening.length > 0) stream.write(talk.opening);
    stream.on("data", (bytes: Buffer) => {
      if (isOver || verdict !== undefined) return;
      forward();
      const { send, result } = talk.read(bytes);
      verdict = result;
      if (send !== undefined) stream.write(send);
      if (result !== undefined) sayGoodbye(stream, send, () => end(result));
    });
    stream.on("end", () => end(verdict ?? talk.ended()));
  };
  const connected = (plain: Socket): void => {
    if (isOver) {
      plain.destroy();
      return;
    }
    socket = plain;
    plain.on("error", fail);
    if (tls === undefined) {
      ready(plain);
      return;
    }
    forward();
    try {
      const secure = connectTls({ ...tlsOptions(tls), socket: plain });
      secure.on("error", fail);
      secure.once("secureConnect", () => {
        warning = expiryOf(secure, tls.expiryDays);
        ready(secure);
      });
    } catch (error) {
      end({ type: "unknown", reason: explain(error) }); // a certificate of ours that cannot be used
    }
  };

  forward();
  try {
    if (to.fwmark === 0 && to.interface === undefined) {
      const plain = connect({ host: to.ip, port: to.port, ...from(to) });
      socket = plain;
      plain.on("error", fail);
      plain.once("connect", () => connected(plain));
    } else giveUp = connectMarked(to, connected, fail);
  } catch (error) {
    setImmediate(fail, error);
  }
  return () => end(undefined);
}

const from = (to: Connection) => ({
  ...(to.fromIp === undefined ? {} : { localAddress: to.fromIp }),
  ...(to.fromPort === undefined ? {} : { localPort: to.fromPort }),
});

/** The last words leave before the connection is closed. */
function sayGoodbye(stream: Socket, words: Uint8Array | undefined, close: () => void): void {
  if (words === undefined) close();
  else stream.write(new Uint8Array(0), close);
}
