import { familyOfService, type Operation } from "../director.ts";
import type { Problem } from "../validate.ts";

/** What this data path cannot do yet, said instead of being accepted and ignored. */

const SCHEDULERS = new Set(["none", "rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "ovf", "dh", "sh", "mh", "twos"]);

/** Settings that would be read back and change nothing. */
const SETTINGS = new Set([
  "secure_tcp", "sloppy_tcp", "pmtu_disc", "am_droprate", "amemthresh", "run_estimation", "lblc_expiration", "lblcr_expiration",
]); // biome-ignore format: one list

export function refusal(operation: Operation): Problem {
  const cannot = limit(operation);
  return cannot === undefined ? undefined : { code: "EOPNOTSUPP", message: `lvsd's XDP data path cannot do this yet: ${cannot}` };
}

function limit(operation: Operation): string | undefined {
  switch (operation.op) {
    case "add-service":
    case "edit-service": {
      const { key, scheduler, persistSeconds, onePacket, pe } = operation.service;
      if (familyOfService(key) === "ipv6") return "IPv6 services";
      if (key.fwmark !== undefined) return "fwmark services";
      if (key.protocol === "sctp") return "SCTP services";
      if (!SCHEDULERS.has(scheduler)) return `scheduler ${scheduler}`;
      if (persistSeconds > 0) return "persistent services";
      if (onePacket) return "one-packet scheduling";
      return pe === "" ? undefined : `persistence engine ${pe}`;
    }
    case "add-dest":
    case "edit-dest": {
      const { dest } = operation;
      if (dest.addr.includes(":")) return "IPv6 dests";
      return dest.method === "tunnel" && dest.tunnel.type !== "ipip" ? `${dest.tunnel.type} tunnels` : undefined;
    }
    case "start-daemon":
      return "connection synchronisation";
    case "set-setting":
      return SETTINGS.has(operation.name) ? undefined : `setting ${operation.name}`;
    default:
      return undefined;
  }
}
