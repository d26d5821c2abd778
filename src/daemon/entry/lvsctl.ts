import pc from "picocolors";
import { addConfig } from "../../cli/lvsctl/config.ts";
import { connectControl } from "../../cli/lvsctl/control.ts";
import { lvsctl } from "../../cli/lvsctl/main.ts";
import { processIo } from "../../cli/lvsctl/process-io.ts";
import { addRealServer } from "../../realserver/command.ts";
import { thisMachine } from "../keepalived/machine.ts";

/** Here, and not in src/cli, because two commands look at this machine where the others ask the daemon. */
process.exitCode = await lvsctl(
  process.argv.slice(2),
  processIo(),
  connectControl(),
  pc.isColorSupported && process.stdout.isTTY,
  [addConfig(thisMachine), addRealServer(() => import("../../realserver/realserver.ts"))],
);
