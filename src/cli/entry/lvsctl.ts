import pc from "picocolors";
import { connectControl } from "../lvsctl/control.ts";
import { lvsctl } from "../lvsctl/main.ts";
import { processIo } from "../lvsctl/process-io.ts";

process.exitCode = await lvsctl(
  process.argv.slice(2),
  processIo(),
  connectControl(),
  pc.isColorSupported && process.stdout.isTTY,
);
