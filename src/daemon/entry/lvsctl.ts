import pc from "picocolors";
import { connectControl } from "../../cli/lvsctl/control.ts";
import { lvsctl } from "../../cli/lvsctl/main.ts";
import { processIo } from "../../cli/lvsctl/process-io.ts";
import { addRealServer } from "../../realserver/command.ts";

/** Here, and not in src/cli, because one command calls the system where the others ask the daemon. */
process.exitCode = await lvsctl(
  process.argv.slice(2),
  processIo(),
  connectControl(),
  pc.isColorSupported && process.stdout.isTTY,
  [addRealServer(() => import("../../realserver/realserver.ts"))],
);
