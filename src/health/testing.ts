import type { DestSpec, ServiceSpec } from "../director/director.ts";
import { ip } from "../net/ip.ts";
import type { Check, Connection, Script, Server, Service, Sorry } from "./config.ts";

/** What the tests of this folder start from. */

export const to: Connection = {
  ...{ ip: ip("10.0.0.11"), port: 80, timeout: 5000 },
  ...{ fromIp: undefined, fromPort: undefined, interface: undefined, fwmark: 0 },
};

export const check: Check = {
  ...{ type: "TCP_CHECK", retry: 1, delayBeforeRetry: 1000, delayLoop: 10_000, warmup: 10_000 },
  ...{
    alpha: false,
    logAllFailures: false,
    pages: 1,
    fastRecovery: false,
    rise: 1,
    flap: undefined,
    probe: { type: "TCP_CHECK", to },
  },
};

export const dest = (address: string, weight = 1, port = 80): DestSpec => ({
  ...{ addr: ip(address), port, method: "nat", weight, upper: 0, lower: 0, toa: false },
  tunnel: { type: "ipip", port: 0, checksum: "none" },
});

export const script = (name: string): Script => ({ command: [name], user: undefined, group: undefined });

export const server = (last: number, more: Partial<Server> = {}): Server => ({
  name: `[10.0.0.${last}]:tcp:80`,
  dest: dest(`10.0.0.${last}`),
  inhibit: false,
  slowStart: 0,
  alerts: "none",
  notifyUp: script(`up${last}`),
  notifyDown: script(`down${last}`),
  checks: [check],
  ...more,
});

export const sorry: Sorry = { name: "[10.0.0.99]:tcp:80", dest: dest("10.0.0.99"), inhibit: false };

export const spec: ServiceSpec = {
  key: { protocol: "tcp", addr: ip("192.0.2.1"), port: 80 },
  ...{ scheduler: "wrr", schedFlags: [], persistSeconds: 0, netmask: 0xffffffff, onePacket: false, pe: "" },
};

export const service = (more: Partial<Service> = {}): Service => ({
  name: "[192.0.2.1]:tcp:80",
  specs: [spec],
  ...{ quorum: 1, hysteresis: 0, omega: false, quorumUp: script("gained"), quorumDown: script("lost") },
  ...{
    sorry: undefined,
    suspendWithout: undefined,
    passive: undefined,
    alert: false,
    servers: [server(11), server(12), server(13)],
  },
  ...more,
});
