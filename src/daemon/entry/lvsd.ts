import { openXdpDirector } from "../../director/xdp/xdp-director.ts";
import { main } from "../main.ts";

await main(process.argv.slice(2), openXdpDirector);
