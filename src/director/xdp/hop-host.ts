import type { Ip } from "../../net/ip.ts";
import { looksUnicast } from "../validate.ts";
import type { Hop } from "./hops.ts";

/**
 * May it be a dest's address (spec 2.3)? The way to it tells more than the address does: which are broadcast addresses of
 * our own networks, and which are the director's own.
 */
export function isHost(address: Ip, hop: Hop): boolean {
  if (hop.state === "local") return true;
  const isMany = hop.state === "unreachable" && (hop.reason === "broadcast" || hop.reason === "multicast");
  return looksUnicast(address) && !isMany;
}
