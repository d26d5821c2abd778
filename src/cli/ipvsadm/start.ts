import { connect } from "../client.ts";
import type { Io, Run } from "./main.ts";

/** Runs one of the commands as this process. The exit code is left to the end of the event loop, so that all output is out. */
export async function start(run: Run): Promise<void> {
  // Like a program that SIGPIPE kills: `ipvsadm -Lnc | head` is no error.
  process.stdout.on("error", () => process.exit(141));
  process.exitCode = await run(process.argv.slice(2), io, connect());
}

const io: Io = {
  async stdin() {
    process.stdin.setEncoding("utf8");
    let text = "";
    for await (const chunk of process.stdin as AsyncIterable<string>) text += chunk;
    return text;
  },
  out(text) {
    if (process.stdout.write(text)) return undefined;
    return new Promise((resolve) => process.stdout.once("drain", resolve));
  },
  err: (text) => void process.stderr.write(text),
};
