import type { Address } from "../../config/entries/address.ts";
import type { Route } from "../../config/entries/route.ts";
import type { Rule } from "../../config/entries/rule.ts";
import type { KeepalivedConfig } from "../../config/keywords.ts";
import type { Entry } from "../../config/table.ts";
import { isPlain, isQuestion } from "./from-routes.ts";

/** What a keepalived.conf says about VRRP and is not carried out; who says it is told. */

/** Words at the beginning of a line. */
export const UNDONE_WORDS: readonly string[] = [
  ...["use_ipvlan", "use_vmac_addr", "vmac_addr_prefix", "vrf", "garp_extra_if", "vrrp_garp_extra_if", "vmac_garp_intvl"],
  ...["auth_hmac", "linkbeat_use_polling", "linkbeat_interfaces", "lvs_sync_daemon_interface", "track_group"],
  ...["set_supplementary_groups", "use_symlink_paths", "nftables_counters", "nftables_ifindex"],
  ...["process_monitor_rcv_bufs", "process_monitor_rcv_bufs_force"],
];

/** Options of addresses, routes, rules and VMACs, one note each with its place. */
export function undoneOptions(config: KeepalivedConfig): readonly string[] {
  const blocks = [
    { name: "static", addresses: config.staticIpaddress, routes: config.staticRoutes, rules: config.staticRules },
    ...config.vrrpInstance.map((i) => ({
      ...{ name: "virtual", addresses: [...i.virtualIpaddress, ...i.virtualIpaddressExcluded] },
      ...{ routes: i.virtualRoutes, rules: i.virtualRules },
    })),
  ];
  return [
    ...blocks.flatMap((b) => [...notes(b.addresses, ofAddress), ...notes(b.routes, ofRoute), ...notes(b.rules, ofRule)]),
    ...config.vrrpInstance.flatMap(({ useVmac: v, origins }) => {
      const words = [
        v?.interface && "another parent",
        v?.mac && "a MAC of its own",
        v?.group && "group",
        v?.netlinkNotify && "netlink_notify_msg",
      ];
      const said = words.filter((word) => word !== undefined && word !== "");
      return said.length === 0 ? [] : [`${placeOf(origins.useVmac)}use_vmac: ${said.join(", ")} is read and not carried out`];
    }),
  ];
}

type Origin = Entry<unknown>["origin"] | undefined;
const placeOf = (origin: Origin): string => (origin === undefined ? "" : `${origin.file}:${origin.line}: `);

function notes<T>(entries: readonly Entry<T>[], undone: (value: T) => readonly (string | undefined | false)[]): string[] {
  return entries.flatMap(({ value, origin }) => {
    const words = undone(value).filter((word) => typeof word === "string");
    return words.length === 0 ? [] : [`${placeOf(origin)}${words.join(", ")} is read and not carried out`];
  });
}

const ofAddress = (a: Address) => [a.trackGroup !== undefined && "track_group", a.useVmac && "use_vmac"] as const;

const ofRoute = (r: Route): (string | false)[] => {
  const metrics = Object.keys(r.metrics).filter((word) => word !== "mtu");
  return [
    !isPlain(r) && `the whole route of type ${r.type}`,
    r.from !== undefined && "from",
    r.vrf !== undefined && "vrf",
    (r.encap !== undefined || r.nextHops.some((hop) => hop.encap !== undefined)) && "encap",
    r.nextHops.some((hop) => hop.realms !== undefined) && "realms",
    r.protocol !== undefined && r.protocol !== 18 && r.protocol !== "keepalived" && "protocol",
    r.mode === "add" && "add",
    r.trackGroup !== undefined && "track_group",
    metrics.length > 0 && metrics.join(", "),
  ];
};

const ofRule = (r: Rule): (string | false)[] => {
  const selectors = Object.keys(r.selectors).filter((word) => word !== "fwmark");
  return [
    !isQuestion(r) && `the whole rule, ${r.not ? "not" : r.action.type}`,
    r.selectors.fwmark?.includes("/") === true && "the mask of fwmark",
    r.trackGroup !== undefined && "track_group",
    selectors.length > 0 && selectors.join(", "),
  ];
};
