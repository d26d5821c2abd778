import { setFlagsFromString } from "node:v8";
import { main } from "../vrrp/process.ts";

// V8 takes a process with little to do for idle and shrinks its heap, which stops it for longer than an advert's interval may be.
setFlagsFromString("--no-memory-reducer");
main(process.argv.slice(2));
