import { main } from "../health/process.ts";

main();
