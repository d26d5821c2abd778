import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { type ConnectionOptions, checkServerIdentity, createSecureContext, type SecureContext, type TLSSocket } from "node:tls";
import type { CertificateRule, HealthConfig } from "../../health/config.ts";

/** What SSL_GET says and wants in TLS. keepalived never verifies a certificate (spec 4.6); `tls_verify` does. */

export interface Tls extends CertificateRule {
  readonly files: HealthConfig["tls"];
  /** SNI; "" for none. */
  readonly servername: string;
}

/** Throws for files of ours that cannot be used. */
export function tlsOptions({ files, ca, servername, verify, name }: Tls): ConnectionOptions {
  const secureContext = contextOf(ca === undefined ? files : { ...files, ca });
  if (!verify) return { secureContext, servername, rejectUnauthorized: false };
  return {
    secureContext,
    servername,
    rejectUnauthorized: true,
    checkServerIdentity: (_, cert) => checkServerIdentity(name, cert),
  };
}

/** Files are read again after this time, ms: certificates are renewed. */
const FRESH = 30_000;
const contexts = new Map<string, { readonly context: SecureContext; readonly until: number }>();

function contextOf(files: HealthConfig["tls"]): SecureContext {
  const id = JSON.stringify(files);
  const known = contexts.get(id);
  if (known !== undefined && performance.now() < known.until) return known.context;
  const { key, cert, ca, passphrase } = files;
  const read = { key, cert, ca };
  const given = Object.entries(read).flatMap(([word, path]) => (path === undefined ? [] : [[word, readFileSync(path)] as const]));
  const context = createSecureContext({ ...Object.fromEntries(given), ...(passphrase === undefined ? {} : { passphrase }) });
  contexts.set(id, { context, until: performance.now() + FRESH });
  return context;
}

const DAY = 86_400_000; // ms

/** Undefined while the certificate is good for more days than those. */
export function expiryOf(socket: TLSSocket, days: number): string | undefined {
  if (days === 0) return undefined;
  const end = Date.parse(socket.getPeerCertificate().valid_to);
  const left = Math.floor((end - Date.now()) / DAY);
  if (!(left < days)) return undefined;
  return left < 0 ? "the certificate has expired" : `the certificate expires in ${left} ${left === 1 ? "day" : "days"}`;
}

/** "www.example.com:8443" and "[2001:db8::1]:443" without their ports. */
export const hostOf = (host: string): string => (isIP(host) !== 0 ? host : host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1"));
