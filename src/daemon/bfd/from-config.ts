import { type BfdConfig, type SessionConfig, usualTtl } from "../../bfd/config.ts";
import type { KeepalivedConfig } from "../../config/keywords.ts";
import { tuningOf } from "../tuner.ts";

/** What a keepalived.conf says about BFD (spec 2.14), with every default filled in. */
export const fromConfig = (config: KeepalivedConfig): BfdConfig => ({
  sessions: config.bfdInstance.flatMap((b) => sessionOf(b) ?? []).filter(isFirst),
  tuning: tuningOf(config.globalDefs, "bfd"),
});

/** Of two with one name or one neighbour the first counts. */
const isFirst = (session: SessionConfig, i: number, all: readonly SessionConfig[]): boolean =>
  all.findIndex(({ name, neighbour }) => name === session.name || neighbour === session.neighbour) === i;

function sessionOf(b: KeepalivedConfig["bfdInstance"][number]): SessionConfig | undefined {
  const { header: name, neighborIp: neighbour, sourceIp: source, minRx, minTx, idleTx, multiplier, passive, multihop } = b;
  if (neighbour === undefined) return undefined;
  return {
    ...{ name, neighbour, source, minRx, minTx, idleTx, multiplier, passive, multihop },
    ttl: b.ttl ?? usualTtl(neighbour),
    // Over several hops any number may be lost, unless it is limited (RFC 5883 section 5).
    maxHops: multihop && b.maxHops === 0 ? 255 : b.maxHops,
    // Those that name a hearer name this one.
    tells: { vrrp: b.vrrp || !b.checker, checker: b.checker || !b.vrrp },
  };
}
