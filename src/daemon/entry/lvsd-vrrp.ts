import { main } from "../vrrp/process.ts";

main(process.argv.slice(2));
