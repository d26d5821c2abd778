import { ipvsadmRestore } from "../ipvsadm/main.ts";
import { start } from "../ipvsadm/start.ts";

await start(ipvsadmRestore);
