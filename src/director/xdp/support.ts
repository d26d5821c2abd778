import type { Operation } from "../director.ts";
import type { Problem } from "../validate.ts";

/** What this data path cannot do yet, said instead of being accepted and ignored. */

const SCHEDULERS = new Set(["none", "rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "ovf", "dh", "sh", "mh", "twos"]);

/** Settings that would be read back and change nothing. */
const SETTINGS: ReadonlySet<string> = new Set([
  ...[
    "secure_tcp",
    "sloppy_tcp",
    "sloppy_sctp",
    "pmtu_disc",
    "am_droprate",
    "amemthresh",
    "run_estimation",
    "drop_packet",
    "conn_reuse_mode",
  ],
  ...["expire_nodest_conn", "expire_quiescent_template"],
]);

export function refusal(operation: Operation): Problem {
  const cannot = limit(operation);
  return cannot === undefined ? undefined : { code: "EOPNOTSUPP", message: `lvsd's XDP data path cannot do this yet: ${cannot}` };
}

function limit(operation: Operation): string | undefined {
  switch (operation.op) {
    case "add-service":
    case "edit-service": {
      const { scheduler, pe } = operation.service;
      if (!SCHEDULERS.has(scheduler)) return `scheduler ${scheduler}`;
      return pe === "" ? undefined : `persistence engine ${pe}`;
    }
    case "add-dest":
    case "edit-dest": {
      const { dest } = operation;
      return dest.toa && dest.addr.includes(":") ? "TOA over IPv6" : undefined;
    }
    case "start-daemon":
      return "connection synchronisation";
    case "set-setting":
      return SETTINGS.has(operation.name) ? undefined : `setting ${operation.name}`;
    default:
      return undefined;
  }
}
