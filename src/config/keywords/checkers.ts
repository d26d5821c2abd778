import {
  ANY_SECONDS,
  bool,
  flag,
  int,
  interfaceName,
  ipArg,
  looseBool,
  MICRO,
  nothing,
  oneOf,
  oneOfAnyCase,
  onlyText,
  path,
  script,
  seconds,
  shortText,
  text,
  uint,
  userGroup,
  weight,
} from "../args.ts";
import { isDefined, type TrackedKind } from "../entries/track.ts";
import { type Arg, blocks, def, many, opt } from "../table.ts";
import {
  addressPort,
  anyWords,
  digest,
  dnsTypes,
  domainName,
  forwarding,
  granularity,
  hexBytes,
  passiveCheck,
  persistence,
  quorum,
  regexText,
  scheduledFlag,
  sorryServer,
  sorryWord,
  statusCodes,
  virtualService,
} from "./checker-args.ts";
import { command } from "./vrrp-args.ts";

/** Virtual servers, real servers and checks (spec 2.15 to 2.18). Times are seconds. */

const INHERITED = { standard: "of the real server, then of the virtual server" };
const connectTime = seconds(MICRO, 4294.967295);
const delay = seconds(0, ANY_SECONDS);
const loop = seconds(MICRO, ANY_SECONDS);
const port = int(1, 65535);
const times = int(1, 4294967295);

/** A word of lvsd's own; keepalived refuses it. */
const OWN = { since: "lvsd" };
const OWN_INHERITED = { ...OWN, ...INHERITED };

/** Against checks that change their mind often. */
const damping = {
  rise: opt("rise", times, "Good tries in a row before it is up again, delay_before_retry apart; else 1.", OWN_INHERITED),
  fall: opt("fall", times, "Failed tries in a row before it is down; instead of retry.", OWN_INHERITED),
  flapLimit: opt("flap_limit", uint, "Times it may go down within flap_window; 0 or nothing: any.", OWN_INHERITED),
  flapWindow: opt("flap_window", loop, "Seconds that flap_limit looks back; else 300.", OWN_INHERITED),
  flapHold: opt("flap_hold", loop, "Seconds without a failure before one beyond the limit is up; else 60.", OWN_INHERITED),
};

/** A name that must be defined above. */
const defined = (kind: TrackedKind, usage: string): Arg<string> => ({
  usage,
  read(r) {
    const name = onlyText.read(r);
    return name === undefined || isDefined(r, kind, name)
      ? name
      : r.error(r.args[0], `'${name}' is not defined before this line`);
  },
});

/** What every check has. */
const scheduling = {
  retry: opt("retry", uint, "Tries after a failed one.", INHERITED),
  delayBeforeRetry: opt("delay_before_retry", delay, "Seconds before the next try.", INHERITED),
  warmup: opt("warmup", delay, "The first check comes at random within these seconds.", INHERITED),
  delayLoop: opt("delay_loop", loop, "Seconds between checks.", INHERITED),
  alpha: opt("alpha", bool, "Down until the first success.", INHERITED),
  logAllFailures: opt("log_all_failures", bool, "Log every failed try.", { standard: "checker_log_all_failures" }),
  ...damping,
};

/** What every check over the network has. */
const connecting = {
  connectIp: opt("connect_ip", ipArg(), "Where to connect.", { standard: "the real server" }),
  connectPort: opt("connect_port", port, "Port to connect to.", { standard: "the real server's" }),
  bindto: opt("bindto", ipArg(), "Address to connect from."),
  bindPort: opt("bind_port", port, "Port to connect from."),
  bindIf: opt("bind_if", interfaceName, "Interface to connect by; needed for link-local addresses."),
  connectTimeout: opt("connect_timeout", connectTime, "Seconds to wait.", INHERITED),
  fwmark: def("fwmark", uint, 0, "Mark of the check's packets."),
  ...scheduling,
};

const url = {
  header: nothing,
  settings: {
    path: opt("path", path, "Path of the page. Required."),
    digest: many("digest", digest, "MD5 of the page, as genhash prints it."),
    statusCode: opt("status_code", statusCodes, "Statuses that are good.", { standard: "200-299" }),
    virtualhost: opt("virtualhost", text, "Host to ask for.", INHERITED),
    regex: opt("regex", regexText, "What the page must contain."),
    regexNoMatch: opt("regex_no_match", regexText, "What it must not contain, or a bare word to turn regex round."),
    regexOptions: opt("regex_options", anyWords, "Options of the expression, as PCRE2 calls them."),
    regexMinOffset: opt("regex_min_offset", anyWords, "First place a match may start."),
    regexMaxOffset: opt("regex_max_offset", anyWords, "Last place a match may start."),
    regexStack: opt("regex_stack", anyWords, "Memory of the matcher.", { ignored: "our matcher needs no stack" }),
    tlsCompliant: opt("tls_compliant", bool, "Close as TLS wants it.", { since: "2.2.8", ignored: "it is always closed so" }),
  },
};

const httpGet = {
  header: nothing,
  settings: {
    virtualhost: opt("virtualhost", text, "Host to ask for.", INHERITED),
    httpProtocol: def("http_protocol", oneOfAnyCase("1.0", "1.0C", "1.1"), "1.0" as const, "Version; C: with Connection: close."),
    fastRecovery: def("fast_recovery", bool, false, "Several pages without delay_loop between them."),
    enableSni: def("enable_sni", bool, false, "Send the host name in TLS."),
    sniName: opt("sni_name", text, "Name to send instead.", { since: "2.4.4" }),
    tlsCompliant: opt("tls_compliant", bool, "Close as TLS wants it.", { since: "2.2.8", ignored: "it is always closed so" }),
    nbGetRetry: opt("nb_get_retry", uint, "Old name of retry.", { deprecated: "retry" }),
    url: blocks("url", url, "A page to get; all must be good."),
    ...connecting,
  },
};

const sslGet = {
  header: nothing,
  settings: {
    ...httpGet.settings,
    tlsVerify: def("tls_verify", bool, false, "The certificate must be good: authority, dates, name.", OWN),
    tlsCa: opt("tls_ca", text, "File of authorities to trust.", { ...OWN, standard: "ca of SSL, or those of Node.js" }),
    tlsName: opt("tls_name", text, "Name that the certificate must have.", {
      ...OWN,
      standard: "sni_name, or the host asked for",
    }),
    tlsExpiryDays: def("tls_expiry_days", int(0, 3650), 0, "Warn when fewer days are left; 0: never.", OWN),
  },
};

const smtpHost = { header: nothing, settings: connecting };

const smtpCheck = {
  header: nothing,
  settings: {
    heloName: def("helo_name", text, "smtpchecker.keepalived.org", "Name said in HELO."),
    host: blocks("host", smtpHost, "More than one place to check.", { deprecated: "one SMTP_CHECK for each", quiet: true }),
    ...connecting,
  },
};

const dnsCheck = {
  header: nothing,
  settings: {
    type: def("type", oneOfAnyCase(...dnsTypes), "SOA" as const, "Type of the question."),
    name: def("name", domainName, ".", "Name asked for."),
    ...connecting,
  },
};

const miscCheck = {
  header: nothing,
  settings: {
    miscPath: opt("misc_path", command, "Script to run; exit 0 is good. Required."),
    miscTimeout: opt("misc_timeout", int(0, 4294), "Seconds it may take.", { standard: "delay_loop" }),
    miscDynamic: def("misc_dynamic", flag, false, "Exit 2-255 sets the weight to the exit code less 2."),
    user: opt("user", userGroup, "Who runs it.", { standard: "script_user" }),
    ...scheduling,
  },
};

const udpCheck = {
  header: nothing,
  settings: {
    payload: opt("payload", hexBytes(false, false), "Bytes to send."),
    requireReply: opt("require_reply", hexBytes(true, true), "A reply is needed, and these bytes of it."),
    minReplyLength: def("min_reply_length", int(0, 65535), 0, "Shortest reply."),
    maxReplyLength: def("max_reply_length", int(0, 65535), 255, "Longest reply."),
    ...connecting,
  },
};

const bfdCheck = {
  header: nothing,
  settings: {
    name: opt("name", defined("bfd", "BFD"), "The bfd_instance. Required."),
    alpha: opt("alpha", bool, "Down until the session is up.", INHERITED),
  },
};

const fileCheck = {
  header: nothing,
  settings: {
    trackFile: opt("track_file", defined("file", "FILE"), "The track_file. Required."),
    weight: opt("weight", weight(-2147483647, 2147483647), "Factor for the number in the file.", {
      standard: "of the track_file",
    }),
  },
};

const simpleCheck = { header: nothing, settings: connecting };

/** The kinds of checks, by their field in a real server. */
export const checkSettings = {
  tcpCheck: blocks("TCP_CHECK", simpleCheck, "Good when a connection is accepted."),
  httpGet: blocks("HTTP_GET", httpGet, "Good when pages are as they should be."),
  sslGet: blocks("SSL_GET", sslGet, "The same over TLS; certificates are not verified unless tls_verify says so."),
  smtpCheck: blocks("SMTP_CHECK", smtpCheck, "Good when a mail server says hello."),
  dnsCheck: blocks("DNS_CHECK", dnsCheck, "Good when a question is answered."),
  miscCheck: blocks("MISC_CHECK", miscCheck, "Good when a script says so."),
  udpCheck: blocks("UDP_CHECK", udpCheck, "Good unless the port is unreachable."),
  pingCheck: blocks("PING_CHECK", simpleCheck, "Good when it answers an echo request."),
  bfdCheck: blocks("BFD_CHECK", bfdCheck, "Good while a BFD session is up."),
  fileCheck: blocks("FILE_CHECK", fileCheck, "A file gives the state or adds to the weight."),
};

export const realServer = {
  header: addressPort,
  settings: {
    weight: opt("weight", int(0, 2147483647), "Share of the load; 0: no new connections.", {
      standard: "of the virtual server, or 1",
    }),
    lvsMethod: opt("lvs_method", forwarding, "How packets reach it.", { standard: "of the virtual server" }),
    uthreshold: def("uthreshold", uint, 0, "Connections at which no more come; 0: no limit."),
    lthreshold: def("lthreshold", uint, 0, "Connections below which they come again."),
    inhibitOnFailure: opt("inhibit_on_failure", bool, "Weight 0 when it fails, instead of taking it out.", {
      standard: "of the virtual server",
    }),
    notifyUp: opt("notify_up", script, "Run when it comes up.", { once: true }),
    notifyDown: opt("notify_down", script, "Run when it goes down.", { once: true }),
    alpha: opt("alpha", bool, "Down until the first success.", { standard: "of the virtual server" }),
    retry: opt("retry", int(1, 4294967295), "Default of its checks."),
    delayBeforeRetry: opt("delay_before_retry", delay, "Default of its checks."),
    warmup: opt("warmup", delay, "Default of its checks."),
    connectTimeout: opt("connect_timeout", connectTime, "Default of its checks."),
    delayLoop: opt("delay_loop", loop, "Default of its checks."),
    smtpAlert: opt("smtp_alert", bool, "Mail on changes.", { standard: "smtp_alert_checker, or on" }),
    virtualhost: opt("virtualhost", text, "Default of its checks."),
    snmpName: opt("snmp_name", onlyText, "Name in SNMP."),
    slowStart: opt("slow_start", delay, "Seconds in which a recovered server's weight grows to what it should be.", {
      ...OWN,
      standard: "of the virtual server",
    }),
    ...damping,
    ...checkSettings,
  },
};

const SCHEDULERS = ["rr", "wrr", "lc", "wlc", "lblc", "sh", "mh", "dh", "fo", "ovf", "lblcr", "sed", "nq", "twos"] as const;

export const virtualServer = {
  header: virtualService,
  settings: {
    lbAlgo: opt("lb_algo", oneOf(...SCHEDULERS), "The scheduler.", { aliases: ["lvs_sched"], standard: "wlc, with a message" }),
    lbKind: opt("lb_kind", forwarding, "How packets reach the real servers.", {
      aliases: ["lvs_method"],
      standard: "NAT, with a message",
    }),
    protocol: opt("protocol", oneOfAnyCase("TCP", "UDP", "SCTP"), "Not for marks.", { standard: "UDP, with a message" }),
    delayLoop: def("delay_loop", loop, 60, "Seconds between checks."),
    persistenceTimeout: opt("persistence_timeout", persistence, "Seconds a client stays with its server; bare: 360.", {
      standard: "off",
    }),
    persistenceGranularity: opt("persistence_granularity", granularity, "Clients of one net stay together."),
    persistenceEngine: opt("persistence_engine", shortText(15), "Persistence by something else (sip)."),
    ops: def("ops", flag, false, "Schedule each packet of UDP."),
    hashed: def("hashed", scheduledFlag, false, "Flag 1 of the scheduler."),
    flag1: def("flag-1", flag, false, "Flag 1 of the scheduler."),
    flag2: def("flag-2", flag, false, "Flag 2 of the scheduler."),
    flag3: def("flag-3", flag, false, "Flag 3 of the scheduler."),
    shPort: def("sh-port", scheduledFlag, false, "Hash the port too."),
    shFallback: def("sh-fallback", scheduledFlag, false, "Another server when the hashed one is unavailable."),
    mhPort: def("mh-port", scheduledFlag, false, "Hash the port too."),
    mhFallback: def("mh-fallback", scheduledFlag, false, "Another server when the hashed one is unavailable."),
    ipFamily: opt("ip_family", oneOf("inet", "inet6"), "Family of a mark.", { standard: "of the real servers" }),
    virtualhost: opt("virtualhost", text, "Default of HTTP checks."),
    haSuspend: def("ha_suspend", flag, false, "No checks while the address is not here."),
    alpha: def("alpha", flag, false, "Servers are down until their first success."),
    omega: def("omega", flag, false, "Run down scripts at stop."),
    quorum: def("quorum", quorum, 1, "Sum of weights that is enough."),
    hysteresis: def("hysteresis", uint, 0, "Distance from the quorum before it changes."),
    quorumUp: opt("quorum_up", script, "Run when the quorum is reached.", { once: true }),
    quorumDown: opt("quorum_down", script, "Run when it is lost.", { once: true }),
    retry: opt("retry", int(1, 4294967295), "Default of checks.", { standard: "1; MISC 0, DNS 3" }),
    delayBeforeRetry: opt("delay_before_retry", delay, "Default of checks.", { standard: "1; HTTP 3, DNS delay_loop" }),
    warmup: opt("warmup", delay, "Default of checks.", { standard: "delay_loop" }),
    connectTimeout: opt("connect_timeout", connectTime, "Default of checks.", { standard: "5" }),
    weight: def("weight", int(1, 2147483647), 1, "Default of real servers."),
    inhibitOnFailure: def("inhibit_on_failure", looseBool, false, "Default of real servers."),
    smtpAlert: opt("smtp_alert", bool, "Mail on changes of the quorum.", { standard: "smtp_alert_checker" }),
    snmpName: opt("snmp_name", onlyText, "Name in SNMP."),
    sorryServer: opt("sorry_server", sorryServer, "Takes over when the quorum is lost."),
    sorryServerInhibit: def("sorry_server_inhibit", sorryWord(flag), false, "It stays in the table with weight 0."),
    sorryServerLvsMethod: opt("sorry_server_lvs_method", sorryWord(forwarding), "How packets reach it.", {
      standard: "of the virtual server",
    }),
    realServer: blocks("real_server", realServer, "A real server."),
    slowStart: def("slow_start", delay, 0, "Default of real servers.", OWN),
    ...damping,
    passiveCheck: opt("passive_check", passiveCheck, "Check a server at once when this many connections of a second fail.", OWN),
    // FullNAT forks (spec 2.19); upstream keepalived knows none of these.
    laddrGroupName: opt("laddr_group_name", text, "Source addresses of FullNAT.", { since: "fork" }),
    synProxy: def("syn_proxy", flag, false, "Answer SYN with cookies.", { since: "fork" }),
    establishTimeout: opt("establish_timeout", uint, "Seconds an idle connection stays.", { since: "fork" }),
    expireQuiescentConn: def("expire_quiescent_conn", flag, false, "Drop connections of a server with weight 0.", {
      since: "fork",
    }),
  },
};

export const ssl = {
  header: nothing,
  settings: {
    password: opt("password", text, "Password of the key."),
    ca: opt("ca", text, "File of authorities."),
    certificate: opt("certificate", text, "Certificate of the client."),
    key: opt("key", text, "Key of the client."),
  },
};
