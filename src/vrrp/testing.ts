import { ip } from "../net/ip.ts";
import { VRRP_GROUP4 } from "../wire/vrrp.ts";
import type { Instance, Notify, Tracking } from "./config.ts";
import type { Router } from "./machine.ts";

/** What the tests of this folder start from. */

export const noTracking: Tracking = { interfaces: [], scripts: [], files: [], processes: [], bfds: [] };
export const noNotify: Notify = {
  ...{ master: undefined, backup: undefined, fault: undefined, stop: undefined },
  ...{ masterRxLowerPri: undefined, deleted: undefined, tellsDeleted: false, any: undefined, priorityChanges: false },
};

export const router: Router = {
  version: 2,
  base: 100,
  priority: 100,
  eager: false,
  resumes: false,
  advertInterval: 1000,
  preempt: true,
  preemptDelay: 0,
  address: ip("10.0.0.1"),
  downTimerAdverts: 3,
  lowerPrioNoAdvert: false,
  higherPrioSendAdvert: false,
  lateBackup: undefined,
  grouped: false,
  announce: { delay: 5000, repeat: 5, refresh: 0, refreshRepeat: 1, lowerDelay: 5000, lowerRepeat: 5 },
};

export const instance: Instance = {
  name: "VI_1",
  vrid: 51,
  family: "ipv4",
  version: 2,
  interface: "eth0",
  priority: 100,
  eager: false,
  advertInterval: 1000,
  preempt: true,
  preemptDelay: 0,
  addresses: [
    {
      ...{ ip: ip("10.0.0.100"), length: 32, dev: undefined, broadcast: undefined, label: "", peer: undefined },
      ...{ scope: 0, preferredLifetime: undefined, noprefixroute: false, dad: false },
      ...{ home: false, mngtmpaddr: false, autojoin: false },
    },
  ],
  excluded: [],
  routes: [],
  rules: [],
  auth: { type: "none", password: "" },
  source: undefined,
  group: VRRP_GROUP4,
  peers: [],
  checkPeers: false,
  ttl: 255,
  sum: "pseudo",
  ...{ oldSum: "auto", faultWithoutPeers: false, receiveRoom: undefined, promoteSecondaries: false },
  garpReplies: false,
  announce: router.announce,
  downTimerAdverts: 3,
  lowerPrioNoAdvert: false,
  higherPrioSendAdvert: false,
  lateBackup: undefined,
  accept: true,
  ownerIgnoresAdverts: false,
  skipAddressCheck: false,
  trackPrimary: true,
  track: noTracking,
  notify: noNotify,
  vmac: undefined,
  vmacXmitBase: false,
};
