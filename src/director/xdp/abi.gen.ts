// Generated from the data path's BTF by scripts/abi.ts: do not edit. Offsets and sizes in bytes.

export const addr = { size: 16, w: 0 } as const;
export const flow = { size: 40, src: 0, dst: 16, sport: 32, dport: 34, protocol: 36, family: 37, kind: 38 } as const;
export const hop = { size: 20, ifindex: 0, generation: 4, dmac: 8, smac: 14 } as const;
export const conn = { size: 192, in: 0, inSrc: 0, inDst: 16, inSport: 32, inDport: 34, inProtocol: 36, inFamily: 37, inKind: 38, dest: 40, flags: 44, state: 46, method: 47, expires: 48, timeout: 52, inPkts: 56, control: 60, out: 64, outSrc: 64, outDst: 80, outSport: 96, outDport: 98, outProtocol: 100, outFamily: 101, outKind: 102, hop: 104, hopIfindex: 104, hopGeneration: 108, hopDmac: 112, hopSmac: 118, mtu: 124, nControl: 128, life: 132, service: 136, fwmark: 140, laddr: 144, serverIsn: 148, syncEndtime: 152, created: 156, serial: 160, oldState: 164, pe: 168, spare: 172 } as const;
export const bucket = { size: 64, entry: 0 } as const;
export const dest = { size: 128, addr: 0, port: 16, family: 18, method: 19, weight: 20, flags: 24, active: 28, total: 32, persist: 36, upper: 40, lower: 44, hop: 48, hopIfindex: 48, hopGeneration: 52, hopDmac: 56, hopSmac: 62, mtu: 68, tunPort: 72, tunType: 74, tunFlags: 75, source: 76, service: 92, lastWeight: 96, position: 100, connFlags: 104, life: 106, of: 108, ofAddr: 108, ofPort: 124, ofProtocol: 126, ofFamily: 127 } as const;
export const serviceKey = { size: 20, addr: 0, port: 16, protocol: 18, family: 19 } as const;
export const service = { size: 64, id: 0, flags: 4, scheduler: 8, list: 12, count: 16, persist: 20, persistSeconds: 24, netmask: 28, laddrs: 32, laddrCount: 36, wrrStep: 40, wrrTop: 44, table: 48, tableSize: 52, fwmark: 56, port: 60 } as const;
export const serviceState = { size: 16, cursor: 0, laddrTurn: 8, spare: 12 } as const;
export const counters = { size: 64, conns: 0, inPkts: 8, outPkts: 16, inBytes: 24, outBytes: 32, resets: 40, unanswered: 48, spare: 56 } as const;
export const laddr = { size: 32, addr: 0, next: 16, conflicts: 20, conns: 24, life: 28 } as const;
export const settings = { size: 368, clockOffset: 0, hz: 4, generation: 8, secureTcp: 12, seed: 16, timeout: 32, sloppyTcp: 288, sloppySctp: 292, cacheBypass: 296, expireNodestConn: 300, expireQuiescentTemplate: 304, natIcmpSend: 308, pmtuDisc: 312, connReuseMode: 316, scheduleIcmp: 320, dropRate: 324, dropEntry: 328, backupOnly: 332, ftpServices: 336, anyPortServices: 340, markServices: 344, markRules: 348, lblcrExpiration: 352, localDests: 356, unprivilegedPort: 360 } as const;
export const tableState = { size: 104, fresh: 0, sweepAt: 4, live: 8, dropCounter: 12, swept: 16, dropEntryTurn: 24, icmpStamp: 88, hand: 96, spare: 100 } as const;
export const identity = { size: 32, layout: 0, netnsCookie: 8, capacity: 16, maxDests: 20, cpus: 24, spare: 28 } as const;
export const limits = { size: 16, capacity: 0, bucketMask: 4, counterRow: 8, maxDests: 12 } as const;
export const device = { size: 8, mac: 0, flags: 6 } as const;
export const notes = { size: 4096, text: 0 } as const;
export const markRule = { size: 84, src: 0, srcMask: 16, dst: 32, dstMask: 48, mark: 64, ifindex: 68, sportFirst: 72, sportLast: 74, dportFirst: 76, dportLast: 78, protocol: 80, family: 81, spare: 82 } as const;
export const cacheKey = { size: 20, addr: 0, service: 16 } as const;
export const cacheEntry = { size: 60, lastuse: 0, lastmod: 4, count: 8, dests: 12 } as const;
export const exitReason = { "nat": 0, "nat-reply": 1, "route": 2, "tunnel": 3, "fullnat": 4, "fullnat-reply": 5, "local-reply": 6, "local": 7, "bypass": 8, "icmp-related": 9, "not-ip": 10, "malformed": 11, "bad-checksum": 12, "protocol": 13, "no-service": 14, "not-scheduled": 15, "fragment-unknown": 16, "icmp": 17, "not-host": 18, "reply-slow": 19, "no-dest": 20, "no-dest-quiet": 21, "table-full": 22, "no-local-address": 23, "dest-gone": 24, "hop-unresolved": 25, "unreachable": 26, "ttl": 27, "too-big": 28, "too-big-quiet": 29, "no-room": 30, "icmp-checksum": 31, "icmp-swallowed": 32, "truncated": 33, "drop-packet": 34, "nat-icmp-send": 35, "bug": 36, "reasons": 37 } as const;
export const method = { "nat": 0, "local": 1, "tunnel": 2, "route": 3, "bypass": 4, "fullnat": 5 } as const;
export const scheduler = { "none": 0, "rr": 1, "wrr": 2, "lc": 3, "wlc": 4, "lblc": 5, "lblcr": 6, "dh": 7, "sh": 8, "sed": 9, "nq": 10, "fo": 11, "ovf": 12, "mh": 13, "twos": 14 } as const;
export const hopState = { "unresolved": 0, "resolved": 1, "local": 2, "unreachable": 3 } as const;
export const connFlag = { "sync": 32, "nooutput": 128, "inactive": 256, "no-cport": 2048, "template": 4096, "one-packet": 8192, "toa": 16384, "answered": 32768 } as const;
export const connLife = { "free": 0, "live": 1, "dying": 2 } as const;
export const destFlag = { "available": 1, "overload": 2 } as const;
export const destLife = { "free": 0, "in-service": 1, "in-trash": 2 } as const;
export const serviceFlag = { "persistent": 1, "one-packet": 4, "sched1": 8, "sched2": 16, "sched3": 32 } as const;
export const protocolRow = { "tcp": 0, "udp": 1, "sctp": 2, "other": 3 } as const;
export const tcpState = { "none": 0, "established": 1, "syn-sent": 2, "syn-recv": 3, "fin-wait": 4, "time-wait": 5, "close": 6, "close-wait": 7, "last-ack": 8, "listen": 9, "synack": 10 } as const;
export const flowKind = { "packet": 0, "template": 1 } as const;
export const deviceFlag = { "known": 1, "redirect": 2 } as const;

/** Of all structs above: maps of another layout are not adopted. */
export const LAYOUT = 0xec512b7e048f4ea4n;
