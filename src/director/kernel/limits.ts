import type { Operation } from "../director.ts";
import type { Problem } from "../validate.ts";

/** What the kernel's IPVS has not, said instead of being accepted and ignored. */
export function refusal(operation: Operation): Problem {
  const cannot = limit(operation);
  if (cannot !== undefined) return { code: "EOPNOTSUPP", message: `the kernel's IPVS has no ${cannot}: lvsd --engine xdp has` };
  return isMarkless(operation) ? { code: "EINVAL", message: "a firewall mark is not 0" } : undefined;
}

function limit(operation: Operation): string | undefined {
  switch (operation.op) {
    case "add-laddr":
    case "delete-laddr":
      return "FullNAT and no local addresses";
    case "add-dest":
    case "edit-dest":
      if (operation.dest.method === "fullnat") return "FullNAT";
      return operation.dest.toa ? "TOA" : undefined;
    default:
      return undefined;
  }
}

/** The kernel would take it for a TCP service without address and port (spec 9.1). */
function isMarkless(operation: Operation): boolean {
  const key = "service" in operation ? operation.service.key : "key" in operation ? operation.key : undefined;
  return key?.fwmark === 0;
}
