import { familyOfInstance } from "../../config/checks/vrrp.ts";
import type { GlobalDefs, KeepalivedConfig, VrrpInstance } from "../../config/keywords.ts";
import { standardGlobals, type VrrpGlobals } from "../../vrrp/config.ts";

/** The rarer words of global_defs and of the root of a keepalived.conf (spec 2.7, 2.8, 2.10). */

const ms = (seconds: number): number => Math.round(seconds * 1000);

export function globalsOf(config: KeepalivedConfig): VrrpGlobals {
  const g = config.globalDefs;
  return {
    logUnknownVrids: g?.logUnknownVrids ?? false,
    statesOnReload: g?.fifoWriteVrrpStatesOnReload ?? false,
    delayAfterBoot: ms(g?.vrrpDelayAfterBoot ?? 0),
    localIgmp: !(g?.disableLocalIgmp ?? false),
    garpGroups: config.garpGroup.map((group) => ({
      interfaces: [...group.interface.map((one) => one.value), ...group.interfaces.map((one) => one.value)],
      garpInterval: ms(group.garpInterval ?? 0),
      gnaInterval: ms(group.gnaInterval ?? 0),
    })),
    linkDelays: config.interfaceUpDownDelays.map(({ value: { interface: name, down, up } }) => {
      return { interface: name, down: ms(down), up: ms(up) };
    }),
    firewall: { table: g?.nftables || standardGlobals.firewall.table, priority: g?.nftablesPriority ?? -1 },
    netlinkRoom: { commands: g?.vrrpNetlinkCmdRcvBufs, events: g?.vrrpNetlinkMonitorRcvBufs },
  };
}

/** The least that a link carries, and the greatest advert: 255 addresses and the headers, bytes. */
const MTU = 1500;
const ADVERT = { ipv4: 20 + 24 + 8 + 255 * 4 + 8, ipv6: 40 + 8 + 90 * 16 } as const;

/** `vrrp_rx_bufs_policy` times `vrrp_rx_bufs_multiplier`; undefined: the system's. */
export function rxRoom(g: GlobalDefs | undefined, family: "ipv4" | "ipv6"): number | undefined {
  const policy = g?.vrrpRxBufsPolicy;
  if (g === undefined || policy === undefined) return undefined;
  const each = policy === "MTU" ? MTU : policy === "ADVERT" ? ADVERT[family] : policy;
  return each * g.vrrpRxBufsMultiplier;
}

/**
 * Each VMAC's own name, as keepalived gives them: the prefix, for IPv6 a 6, and the VRID; where that is taken the prefix is
 * followed by 1, 2, ... whatever the family.
 */
export function vmacNames(config: KeepalivedConfig): ReadonlyMap<VrrpInstance, string> {
  const prefix = config.globalDefs?.vmacPrefix ?? "vrrp";
  const asking = config.vrrpInstance.filter((i) => i.useVmac !== undefined);
  const names = new Map(asking.flatMap((i) => (i.useVmac?.name === undefined ? [] : [[i, i.useVmac.name] as const])));
  const taken = new Set(names.values());
  for (const i of asking) {
    if (names.has(i)) continue;
    let name = `${prefix}${familyOfInstance(i) === "ipv6" ? "6" : ""}.${i.virtualRouterId}`;
    for (let n = 1; taken.has(name); n++) name = `${prefix}${n}.${i.virtualRouterId}`;
    taken.add(name);
    names.set(i, name);
  }
  return names;
}
