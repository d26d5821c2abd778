import { main } from "../bfd/process.ts";

main(process.argv.slice(2));
