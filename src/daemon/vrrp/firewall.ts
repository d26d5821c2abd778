import { explain, Fault } from "../../fault.ts";
import type { Ip } from "../../net/ip.ts";
import { type NetlinkSocket, openNetlink } from "../../platform/netlink.ts";
import type { VrrpGlobals } from "../../vrrp/config.ts";
import { parseAnswer, parseMessages } from "../../wire/netlink.ts";
import { dropAddresses, NETLINK_NETFILTER } from "../../wire/nftables.ts";

/** `no_accept`: while it is master, packets to and from its addresses are dropped (spec 3.9). */

export interface Firewall {
  /** From now on these and no others. */
  refuse(addresses: readonly Ip[]): void;
  close(): void;
}

/** Touches nothing as long as there is nothing to refuse. */
export function openFirewall(place: VrrpGlobals["firewall"], log: (text: string) => void, namespace?: string): Firewall {
  let socket: NetlinkSocket | undefined;
  let inForce = "";
  return {
    refuse(addresses) {
      const wanted = [...new Set(addresses)].sort();
      if (wanted.join() === inForce) return;
      try {
        socket ??= openNetlink({ protocol: NETLINK_NETFILTER, ...(namespace === undefined ? {} : { namespace }) });
        apply(socket, place, wanted);
        inForce = wanted.join();
      } catch (error) {
        log(`no_accept is not in force: ${explain(error)}`);
      }
    },
    close() {
      socket?.close();
      socket = undefined;
    },
  };
}

function apply(socket: NetlinkSocket, { table, priority }: VrrpGlobals["firewall"], addresses: readonly Ip[]): void {
  const { bytes, answers } = dropAddresses(table, addresses, priority);
  socket.send(bytes);
  let errno = 0;
  for (let left = answers; left > 0; ) {
    for (const message of parseMessages(socket.receive())) {
      const answer = parseAnswer(message);
      if (answer === undefined) continue;
      left--;
      errno ||= answer.errno;
    }
  }
  if (errno !== 0) throw Fault.fromErrno("nf_tables", errno, `refuse ${addresses.join(" ") || "nothing"}`);
}
