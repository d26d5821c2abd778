import { fileURLToPath } from "node:url";
import type { Host } from "./host.ts";
import type { Running } from "./running.ts";

const program = fileURLToPath(new URL("../lab/echo.mjs", import.meta.url));

/** Sends every datagram back. */
export const startUdpEcho = (host: Host, address: string, port: number): Promise<Running> => start(host, "udp", address, port);

/** Sends every line back, with the address of the client in front. */
export const startTcpEcho = (host: Host, address: string, port: number): Promise<Running> => start(host, "tcp", address, port);

/** So many datagrams, each from a port of its own; how many came back as they were within 2 s. */
export const askUdp = async (host: Host, address: string, port: number, bytes: number, times: number): Promise<number> =>
  Number(await host.run(`'${process.execPath}' '${program}' ask ${address} ${port} ${bytes} ${times}`));

async function start(host: Host, protocol: "udp" | "tcp", address: string, port: number): Promise<Running> {
  const running = host.spawn([process.execPath, program, protocol, address, String(port)]);
  await running.hear(/ready/);
  return running;
}
