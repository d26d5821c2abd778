/** keepalived's words about sessions, since people search their logs for them. */

/** RFC 5880 section 4.1. */
export const DIAGNOSTIC = { none: 0, expired: 1, neighbourDown: 3, adminDown: 7 } as const;

const DIAGNOSTICS = [
  "No Diagnostic",
  "Control Detection Time Expired",
  "Echo Function Failed",
  "Neighbor Signaled Session Down",
  "Forwarding Plane Reset",
  "Path Down",
  "Concatenated Path Down",
  "Administratively Down",
  "Reverse Concatenated Path Down",
] as const;

export const diagnosticText = (diagnostic: number): string => DIAGNOSTICS[diagnostic] ?? `Reserved (${diagnostic})`;
