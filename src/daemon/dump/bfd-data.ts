import type { SessionConfig } from "../../bfd/config.ts";
import { familyOf } from "../../net/ip.ts";
import type { SessionStatus } from "../bfd/status.ts";
import type { Facts } from "./facts.ts";
import { globalLines } from "./globals.ts";
import { moment, title } from "./words.ts";

/** keepalived_bfd.data: what the BFD process is configured to do, and what has become of it. */
export function bfdData(facts: Facts): string {
  const { bfd, sessions } = facts;
  const instances = bfd.sessions.flatMap((config) => {
    const now = sessions.find(({ name }) => name === config.name);
    return [...configLines(config), ...(now === undefined ? [] : stateLines(config, now, facts.now))];
  });
  const topology = instances.length === 0 ? [] : [title("BFD Topology"), ...instances];
  return `${[...globalLines(facts, "bfd"), title("BFD Data"), ...topology].join("\n")}\n`;
}

const micros = (ms: number): string => `${Math.round(ms * 1000)} us`;
const capital = (is: boolean): string => (is ? "Yes" : "No");
const hex = (n: number): string => `0x${n.toString(16)}`;

const configLines = (c: SessionConfig): string[] => [
  ` BFD Instance = ${c.name}`,
  `   Neighbor IP = ${c.neighbour}`,
  ...(c.source === undefined ? [] : [`   Source IP = ${c.source}`]),
  `   Required min RX interval = ${micros(c.minRx)}`,
  `   Desired min TX interval = ${micros(c.minTx)}`,
  `   Desired idle TX interval = ${micros(c.idleTx)}`,
  `   Detection multiplier = ${c.multiplier}`,
  `   ${familyOf(c.neighbour) === "ipv4" ? "TTL" : "hoplimit"} = ${c.ttl}`,
  `   max_hops = ${c.maxHops}`,
  `   passive = ${c.passive}`,
  `   send event to VRRP process = ${capital(c.tells.vrrp)}`,
  `   send event to checker process = ${capital(c.tells.checker)}`,
];

/** What the neighbour has not said is 0. */
function stateLines(c: SessionConfig, s: SessionStatus, now: number): string[] {
  const { remote: r } = s;
  const isHeard = r.discriminator !== 0;
  const told = (ms: number): string => micros(isHeard ? ms : 0);
  return [
    `   send error = ${s.isMute}`,
    `   local state = ${s.state}`,
    `   remote state = ${r.state}`,
    `   local discriminator = ${hex(s.discriminator)}`,
    `   remote discriminator = ${hex(r.discriminator)}`,
    `   local diag = ${s.diagnostic}`,
    `   remote diag = ${r.diagnostic}`,
    `   remote min tx intv = ${told(r.minTx)}`,
    `   remote min rx intv = ${told(r.minRx)}`,
    "   local demand = 0",
    `   remote demand = ${Number(r.demand)}`,
    `   remote detect multiplier = ${r.multiplier}`,
    `   ${s.isPolling ? "" : "!"}poll, !final`,
    `   local tx intv = ${micros(s.transmitInterval)}`,
    `   remote tx intv = ${told(Math.max(c.minRx, r.minTx))}`,
    `   local detection time = ${micros(s.detectionTime)}`,
    `   remote detection time = ${told(c.multiplier * s.transmitInterval)}`,
    r.heardAge === undefined ? "   last_seen = [never]" : `   last seen = ${oddMoment(now - r.heardAge)}`,
  ];
}

/** Here keepalived puts the microseconds behind the year. */
const oddMoment = (ms: number): string => moment(ms).replace(/(\.\d{6}) (\d{4})\)$/, " $2$1)");
