import { main } from "./run.ts";

/** What `make conformance` runs. */
process.exitCode = await main(process.argv.slice(2));
