import type { Mismatch } from "./transcript.ts";

/**
 * The one list of wanted differences between lvsd and the kernel, each with its reason. A mismatch that no entry covers
 * fails the run; so does an entry that no longer covers anything, when all cases were run.
 */
export interface Difference {
  /** The case's name, or its beginning followed by "*". */
  readonly cases: string;
  /** What the kernel's line looks like (absent line: ""). */
  readonly kernel: RegExp;
  /** What ours looks like instead. */
  readonly ours: RegExp;
  readonly reason: string;
}

/** Any line or none: where a case is about nothing else than the difference. */
const ANY = /^/;
const NONE = /^$/;
/** No packet where the other side has one: `nothing`, or no line beside other packets. */
const SILENCE = /^(nothing)?$/;
/** The second line of a packet: its bytes, if there is a packet. */
const BYTES = /^( {2}[0-9a-f.]+(\+\d+ bytes crc [0-9a-f]+)?)?$/;

/** Packets that only one side sends, or that are others: their lines, by pairs of kernel's and ours, and their bytes. */
const packets = (cases: string, reason: string, ...lines: (readonly [kernel: RegExp, ours: RegExp])[]): Difference[] => [
  ...lines.map(([kernel, ours]) => ({ cases, kernel, ours, reason })),
  { cases, kernel: BYTES, ours: BYTES, reason },
];
const whole = (cases: string, reason: string): Difference => ({ cases, kernel: ANY, ours: ANY, reason });

const LAST_SERVICE =
  "the kernel takes its hooks away with the last service of a family and forgets the conns meanwhile; here a conn whose dest is gone is treated alike, whether other services are left or not";
const RULES_OF_6_12 = "the recording kernel is a 6.1; the rules for thresholds at an edit are those of 6.12 (spec 2.4)";
const ROUTE_CACHE =
  "the kernel's route cache is shared by all conns of a dest and outlives the method; here each conn has its own method's way (spec 2.3)";
const NO_FTP = "there is no FTP helper: conns of data come in by persistence, as with DR and tunnels";
const NO_SIP = "there is no persistence engine for SIP: the service is refused with a sentence";
const FOLLOWED = "fragments are followed by a table and sent on as they are, not put together and cut anew";
const NO_CUTTING = "nothing is cut into fragments: what is too big is answered by ICMP, with DF or without";
const CLIENT_PATH =
  "replies are held against the MTU of the device towards the client, and of its route where that says `mtu lock`: bpf_fib_lookup knows no other; and nothing is cut into fragments";
const ICMPV6_SUM =
  "ICMPv6 errors from NAT real servers are taken with right checksums; the kernel takes only those without the pseudo header";
const EXTENSIONS =
  "TCP flags are read behind the extension headers; the kernel reads them where the headers stand, and sees none";
const FRESH_MTU =
  "the first report of a smaller path MTU is already answered with it; the kernel's is of the route as it was before";
const DIRECT_ERRORS =
  "errors that the director makes about DR and tunnel conns, or sees on their way, are no output of their dests";
const LOCAL_DIRECT = "a local dest under route answers directly, as a remote one does: its answers do not move the conn's state";
const LIVE_COUNTERS =
  "counters are shown as they are, not as of the last estimation: without estimation rates stand still, counters do not";
const NO_SYNC = "sync daemons and their settings are refused with a sentence, as conntrack is, which sees packets only later";
const WHOLE_FILES = "a file of rules is taken whole or not at all, and what is wrong in it is told with the line";
const OWN_HELP = "the usage text is our own, and tells of our own options";

export const DIFFERENCES: readonly Difference[] = [
  {
    cases: "*",
    kernel: /^IP Virtual Server version 1\.2\.1 \(size=4096\)$/,
    ours: /^IP Virtual Server version 1\.2\.1 \(size=\d+\)$/,
    reason: "the size of the conn table is lvsd's own",
  },

  // services and dests
  ...packets(
    "1-services/deleted-last-service",
    LAST_SERVICE,
    [/ R seq=0 /, SILENCE],
    [/10\.2\.0\.11:80 > 10\.1\.0\.3/, /10\.1\.0\.100:80 > 10\.1\.0\.3/],
  ),
  ...packets("2-dests/clear-keeps-conns", LAST_SERVICE, [/ R seq=0 /, SILENCE]),
  ...packets("2-dests/resurrected-service", LAST_SERVICE, [/ R seq=0 /, SILENCE]),
  whole("2-dests/edit-thresholds", RULES_OF_6_12),
  ...packets("2-dests/method-change", ROUTE_CACHE, [SILENCE, /^rs\.11 tcp 10\.1\.0\.3:2003 > 10\.1\.0\.100:80 A /]),

  // conns
  { cases: "4-conns/ftp-passive", kernel: /LISTEN/, ours: NONE, reason: NO_FTP },
  ...packets("4-conns/ftp-passive", NO_FTP, [/PA .* len=88$/, /PA .* len=87$/]),
  whole("4-conns/sip-persistence", NO_SIP),

  // packets
  ...packets("5-packets/fragments-dr", FOLLOWED, [/fragment .* offset=504 id=0x0064/, SILENCE]),
  ...packets("5-packets/fragments-ipv6", FOLLOWED, [/ id=\* len=552$/, / id=0x0063 len=552$/]),
  whole("5-packets/fragments-tunnel", FOLLOWED),
  ...packets(
    "5-packets/icmp-nat-ipv6",
    ICMPV6_SUM,
    [SILENCE, /^client\.3 icmp fd01::100 > fd01::3/],
    [/^client\.3 icmp fd01::100 > fd01::3/, SILENCE],
  ),
  ...packets("5-packets/icmp-tunnel-frag-needed", FRESH_MTU, [/ 3\/4 field=1480 /, / 3\/4 field=1380 /]),
  { cases: "5-packets/icmp-tunnel-frag-needed", kernel: /^yes$/, ours: /^NO$/, reason: FRESH_MTU },
  { cases: "5-packets/icmp-unreachable-tcp-dr-from-rs", kernel: / 2 +40 +124$/, ours: / 0 +40 +0$/, reason: DIRECT_ERRORS },
  {
    cases: "5-packets/local-real-server",
    kernel: /^TCP 00:\d+ +CLOSE .*10\.1\.0\.101:81$/,
    ours: / SYN_RECV /,
    reason: LOCAL_DIRECT,
  },
  { cases: "5-packets/local-real-server", kernel: /10\.1\.0\.101:81 .* 0 +1 +$/, ours: / 1 +0 +$/, reason: LOCAL_DIRECT },
  whole("5-packets/mtu-df", NO_CUTTING),
  whole("5-packets/mtu-tunnel", NO_CUTTING),
  whole("5-packets/mtu-nat-reply", CLIENT_PATH),
  { cases: "5-packets/nat-ipv6-extension-header", kernel: / CLOSE /, ours: / SYN_RECV /, reason: EXTENSIONS },

  // statistics and settings
  {
    cases: "6-statistics/dr-and-tunnel",
    kernel: /^rs\.12 (ipip|fragment)| {2}45000/,
    ours: /icmp .* 3\/4 | {2}45c0|^$/,
    reason: NO_CUTTING,
  },
  {
    cases: "6-statistics/dr-and-tunnel",
    kernel: / 1 +(256|3228) +(156|576)$/,
    ours: / 0 +(256|3228) +0$/,
    reason: DIRECT_ERRORS,
  },
  { cases: "6-statistics/fragments", kernel: / 1 +1 +1 +1028 +1028$/, ours: / 1 +2 +2 +1048 +1048$/, reason: FOLLOWED },
  { cases: "7-settings/run-estimation", kernel: / 0 +0 +0 +0 +0$/, ours: / 3 +3 +0 +120 +0$/, reason: LIVE_COUNTERS },

  whole("7-settings/ranges-of-sync", NO_SYNC),

  // synchronisation
  whole("8-sync/backup-only", NO_SYNC),
  whole("8-sync/backup-refuses", NO_SYNC),
  whole("8-sync/backup-takes", NO_SYNC),
  whole("8-sync/backup-version-0", NO_SYNC),
  whole("8-sync/daemons", NO_SYNC),
  whole("8-sync/master-persistent", NO_SYNC),
  whole("8-sync/master-tcp", NO_SYNC),
  whole("8-sync/master-udp", NO_SYNC),
  whole("8-sync/master-version-0", NO_SYNC),
  whole("8-sync/mixed-families", NO_SYNC),

  // ipvsadm
  {
    cases: "9-ipvsadm/add-service-options",
    kernel: /^exit 0$|:5060 |^$/,
    ours: /^exit 255$|^No such service$|persistence engine sip$|^$/,
    reason: NO_SIP,
  },
  {
    cases: "9-ipvsadm/sample-listing",
    kernel: /^exit 0$|:5060 |^$/,
    ours: /^exit 255$|persistence engine sip$|^$/,
    reason: NO_SIP,
  },
  whole("9-ipvsadm/daemon-options", NO_SYNC),
  whole("9-ipvsadm/help", OWN_HELP),
  whole("9-ipvsadm/restore", WHOLE_FILES),
];

/** The entry that covers a mismatch. */
export function wanted(list: readonly Difference[], name: string, m: Mismatch): Difference | undefined {
  const covers = (pattern: string): boolean => (pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern);
  return list.find((d) => covers(d.cases) && d.kernel.test(m.kernel ?? "") && d.ours.test(m.ours ?? ""));
}
