import { main } from "../main.ts";
import { openEngine } from "../open.ts";

await main(process.argv.slice(2), openEngine);
