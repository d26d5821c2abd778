import { flag, int, ipArg, millis, weight } from "../args.ts";
import type { Arg } from "../table.ts";
import { def, opt } from "../table.ts";

/** bfd_instance (spec 2.14). Intervals are milliseconds. */

const LONGEST_NAME = 31;
const MOST_MILLIS = 4294967;

const bfdName: Arg<string> = {
  usage: "NAME",
  read(r) {
    const word = r.args[0];
    if (word === undefined) return r.error(r.keyword, "bfd_instance needs a name");
    return word.text.length > LONGEST_NAME
      ? r.error(word, `the name of a BFD instance has at most ${LONGEST_NAME} characters`)
      : word.text;
  },
};

export const bfdInstance = {
  header: bfdName,
  settings: {
    neighborIp: opt("neighbor_ip", ipArg(), "The other end. Required.", { aliases: ["neighbour_ip"] }),
    sourceIp: opt("source_ip", ipArg(), "Address to send from; of the neighbour's family."),
    minRx: def("min_rx", millis(1, MOST_MILLIS), 10, "Shortest interval it can receive at."),
    minTx: def("min_tx", millis(1, MOST_MILLIS), 10, "Interval it wants to send at."),
    idleTx: def("idle_tx", millis(1000, MOST_MILLIS), 1000, "Interval while the session is down."),
    multiplier: def("multiplier", int(1, 255), 5, "Packets to miss before the session is down."),
    passive: def("passive", flag, false, "Wait for the other end."),
    ttl: opt("ttl", int(1, 255), "TTL or hop limit of its packets.", { aliases: ["hoplimit"], standard: "255, IPv6 64" }),
    maxHops: def("max_hops", int(-1, 255), 0, "Hops a packet may have come."),
    multihop: def("multihop", flag, false, "Port 4784.", { since: "2.2.8" }),
    weight: def("weight", weight(-253, 253), { weight: 0, reverse: false }, "Added to the priority; 0: down is FAULT."),
    vrrp: def("vrrp", flag, false, "Tell VRRP only."),
    checker: def("checker", flag, false, "Tell the checkers only."),
  },
};
