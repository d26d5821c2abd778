import { ipvsadmSave } from "../ipvsadm/main.ts";
import { start } from "../ipvsadm/start.ts";

await start(ipvsadmSave);
