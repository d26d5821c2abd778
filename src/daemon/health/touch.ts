import type { Connection } from "../../health/config.ts";
import { bad, good } from "../../health/dialogue.ts";
import { closeFd } from "../../platform/process.ts";
import { connectFd } from "./connect.ts";
import type { Cancel, Done } from "./probe.ts";
import { troubleOf } from "./trouble.ts";

/**
 * TCP_CHECK (spec 4.5): good when connected, and closed at once as anybody would, with FIN. By system calls, since there are
 * thousands a second of these: half the price of a Socket of Node's.
 */
export function touch(to: Connection, done: Done): Cancel {
  let giveUp: () => void = () => {};
  const timer = setTimeout(() => {
    giveUp();
    done(bad("timeout"));
  }, to.timeout);
  const fail = (error: unknown): void => {
    clearTimeout(timer);
    done(troubleOf(error));
  };
  const connected = (fd: number): void => {
    clearTimeout(timer);
    closeFd(fd);
    done(good);
  };
  try {
    giveUp = connectFd(to, connected, fail);
  } catch (error) {
    const later = setImmediate(fail, error);
    giveUp = () => clearImmediate(later);
  }
  return () => {
    clearTimeout(timer);
    giveUp();
  };
}
