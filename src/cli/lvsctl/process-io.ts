import type { Io } from "./command.ts";

/** This process's own streams. */
export function processIo(): Io {
  // Like a program that SIGPIPE kills: `lvsctl conns | head` is no error.
  process.stdout.on("error", () => process.exit(141));
  return {
    out(text) {
      if (process.stdout.write(text)) return undefined;
      return new Promise((resolve) => process.stdout.once("drain", resolve));
    },
    err: (text) => void process.stderr.write(text),
    terminal: process.stdout.isTTY === true,
    rows: () => process.stdout.rows ?? 24,
    pause,
  };
}

/** Ctrl-C ends the pause, and with it the command, so that the terminal can be put right first. */
const pause = (ms: number): Promise<boolean> =>
  new Promise((resolve) => {
    const end = (more: boolean) => {
      clearTimeout(timer);
      process.off("SIGINT", interrupted);
      resolve(more);
    };
    const interrupted = () => end(false);
    const timer = setTimeout(() => end(true), ms);
    process.on("SIGINT", interrupted);
  });
