import { littleEndian, parseAttributes, readText, viewOf } from "../wire/netlink.ts";
import type { NetlinkPort } from "../wire/netlink-client.ts";
import { NetlinkClient } from "../wire/netlink-client.ts";

/** What tc has on an interface: whether the clsact qdisc is there, and whether anybody has a filter on it. */

const RTM_GETTFILTER = 46;
const RTM_GETQDISC = 38;
const TCMSG_BYTES = 20;
const TCA_KIND = 1;
const CLSACT_INGRESS = 0xfffffff2;
const CLSACT_EGRESS = 0xfffffff3;

export function hasClsact(port: NetlinkPort, ifindex: number): boolean {
  const qdiscs = new NetlinkClient(port).dump("list qdiscs", RTM_GETQDISC, tcmsg(0, 0));
  return qdiscs.some(({ payload }) => {
    if (payload.length < TCMSG_BYTES || viewOf(payload).getInt32(4, littleEndian) !== ifindex) return false;
    return readText(parseAttributes(payload, TCMSG_BYTES).get(TCA_KIND)) === "clsact";
  });
}

/** Filters at either hook of a clsact. */
export function hasFilters(port: NetlinkPort, ifindex: number): boolean {
  const client = new NetlinkClient(port);
  return [CLSACT_INGRESS, CLSACT_EGRESS].some(
    (parent) => client.dump("list filters", RTM_GETTFILTER, tcmsg(ifindex, parent)).length > 0,
  );
}

function tcmsg(ifindex: number, parent: number): Uint8Array {
  const bytes = new Uint8Array(TCMSG_BYTES);
  viewOf(bytes).setInt32(4, ifindex, littleEndian);
  viewOf(bytes).setUint32(12, parent, littleEndian);
  return bytes;
}
