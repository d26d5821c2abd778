import { ipvsadm } from "../ipvsadm/main.ts";
import { start } from "../ipvsadm/start.ts";

await start(ipvsadm);
