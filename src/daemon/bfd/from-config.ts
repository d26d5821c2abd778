import { type BfdConfig, type SessionConfig, usualTtl } from "../../bfd/config.ts";
import { isSameSession } from "../../config/checks/trackers.ts";
import type { KeepalivedConfig } from "../../config/keywords.ts";
import { familyOf } from "../../net/ip.ts";
import { tuningOf } from "../tuner.ts";

/** What a keepalived.conf says about BFD (spec 2.14), with every default filled in. */
export const fromConfig = (config: KeepalivedConfig): BfdConfig => ({
  sessions: config.bfdInstance.flatMap((b) => sessionOf(b) ?? []).filter(isFirst),
  tuning: tuningOf(config.globalDefs, "bfd"),
});

/** Of two with one name, or with ends that cannot be told apart, the first counts. */
const isFirst = (session: SessionConfig, i: number, all: readonly SessionConfig[]): boolean =>
  all.findIndex((other) => other.name === session.name || isSameSession(endsOf(other), endsOf(session))) === i;

const endsOf = ({ neighbour: neighborIp, source: sourceIp }: SessionConfig) => ({ neighborIp, sourceIp });

function sessionOf(b: KeepalivedConfig["bfdInstance"][number]): SessionConfig | undefined {
  const { header: name, neighborIp: neighbour, sourceIp: source, minRx, minTx, idleTx, multiplier, passive, multihop } = b;
  if (neighbour === undefined || (source !== undefined && familyOf(source) !== familyOf(neighbour))) return undefined;
  const ttl = b.ttl ?? usualTtl(neighbour);
  // Over several hops any number may be lost, unless it is limited (RFC 5883 section 5).
  const maxHops = b.maxHops < 0 || (multihop && b.maxHops === 0) ? 255 : b.maxHops;
  return {
    ...{ name, neighbour, source, minRx, minTx, idleTx, multiplier, passive, multihop },
    ...{ ttl, maxHops: Math.min(maxHops, ttl) },
    // Those that name a hearer name this one.
    tells: { vrrp: b.vrrp || !b.checker, checker: b.checker || !b.vrrp },
  };
}
