import type { HttpGet, RealServer } from "../../config/keywords.ts";
import type { Check, Connection, Page, PagePattern, Probe } from "../../health/config.ts";
import { defaultPayload } from "../../health/protocols/udp.ts";
import { nameOf, serverName } from "../health/from-config.ts";
import type { CheckStatus } from "../health/status.ts";
import type { Facts } from "./facts.ts";
import { commandText, fixed6, item, title, yesNo } from "./words.ts";

/** The health checkers in keepalived_check.data. */

/** Those of files stand behind all others. */
export function checkLines(facts: Facts): string[] {
  const all = facts.health.services.flatMap((service) => {
    const vs = facts.config.virtualServer.find((block) => nameOf(block) === service.name);
    const now = facts.services.find(({ name }) => name === service.name);
    return service.servers.flatMap((server) => {
      const checks = now?.servers.find(({ name }) => name === server.name)?.checks ?? [];
      const written = writtenOf(vs?.realServer.find((rs) => serverName(vs, rs.header) === server.name));
      return server.checks.flatMap((check, i) => {
        const status = checks[i];
        const about = ` ${service.name} -> ${server.name}`;
        return status === undefined
          ? []
          : [{ check, lines: [about, ...linesOf(check, status, now!.isSuspended, written.next(check.type), facts)] }];
      });
    });
  });
  const isFile = ({ check }: { check: Check }): boolean => check.type === "FILE_CHECK";
  const lines = [...all.filter((one) => !isFile(one)), ...all.filter(isFile)].flatMap(({ lines: of }) => of);
  return lines.length === 0 ? [] : [title("Health checkers"), ...lines];
}

const micros = (ms: number): string => `${Math.round(ms * 1000)} us`;

/** The blocks of the file that pages are from, which say what was written and what is a default. */
function writtenOf(rs: RealServer | undefined): { next(type: Check["type"]): HttpGet | undefined } {
  const hasPath = ({ url }: HttpGet): boolean => url.some(({ path }) => path !== undefined);
  const left = { HTTP_GET: (rs?.httpGet ?? []).filter(hasPath), SSL_GET: (rs?.sslGet ?? []).filter(hasPath) };
  return { next: (type) => (type === "HTTP_GET" || type === "SSL_GET" ? left[type].shift() : undefined) };
}

function linesOf(check: Check, now: CheckStatus, isSuspended: boolean, written: HttpGet | undefined, facts: Facts): string[] {
  const isTimed = check.type !== "FILE_CHECK" && check.type !== "BFD_CHECK";
  return [
    `   Enabled = ${yesNo(!isSuspended)}`,
    `   Up = ${yesNo(now.isUp)}`,
    `   Has run = ${yesNo(now.hasRun)}`,
    `   Current weight = ${now.weight}`,
    ...(isTimed ? timeLines(check, now) : []),
    `   Log all failures = ${yesNo(check.logAllFailures)}`,
    ...("to" in check.probe ? connectionLines(check.probe.to) : []),
    ...probeLines(check, check.probe, written, facts),
  ];
}

function timeLines(check: Check, now: CheckStatus): string[] {
  const isHttp = check.type === "HTTP_GET" || check.type === "SSL_GET";
  return [
    `   Alpha = ${yesNo(check.alpha)}`,
    `   Delay loop = ${micros(check.delayLoop)}`,
    `   Warmup = ${micros(check.warmup)}`,
    `   Retries = ${check.retry}`,
    ...(check.retry === 0
      ? []
      : [
          `   Delay before retry = ${micros(check.delayBeforeRetry)}`,
          `   Retries iterations = ${check.retry - now.retriesLeft}`,
        ]),
    `   Default delay before retry = ${isHttp ? 3_000_000 : check.type === "DNS_CHECK" ? 0 : 1_000_000} us`,
  ];
}

function connectionLines(to: Connection): string[] {
  const isBound = to.fromIp !== undefined || to.fromPort !== undefined;
  return [
    "   Connection",
    item(`Dest = [${to.ip}]:${to.port}`),
    ...(isBound ? [item(`Bind to = [${to.fromIp ?? (to.ip.includes(":") ? "::" : "0.0.0.0")}]:${to.fromPort ?? 0}`)] : []),
    ...(to.interface === undefined ? [] : [item(`Bind i/f = ${to.interface}`)]),
    ...(to.fwmark === 0 ? [] : [item(`Mark = ${to.fwmark}`)]),
    item(`Timeout = ${fixed6(to.timeout / 1000)}`),
  ];
}

function probeLines(check: Check, probe: Probe, written: HttpGet | undefined, facts: Facts): string[] {
  const method = `   Keepalive method = ${probe.type}`;
  switch (probe.type) {
    case "HTTP_GET":
    case "SSL_GET":
      return [
        `${method}, http protocol ${probe.version}`,
        ...(written?.virtualhost === undefined ? [] : [`   Virtualhost = ${written.virtualhost}`]),
        `   Enable SNI ${written?.enableSni ? "" : "un"}set`,
        `   Fast recovery ${check.fastRecovery ? "" : "un"}set`,
        ...probe.pages.flatMap((page, i) =>
          pageLines(page, written?.url.filter(({ path }) => path !== undefined)[i]?.virtualhost),
        ),
      ];
    case "SMTP_CHECK":
      return [method, `   helo = ${probe.helo}`];
    case "DNS_CHECK":
      return [method, `   Type = ${probe.query}`, `   Name = ${probe.name === "." ? "" : probe.name}`];
    case "UDP_CHECK":
      return [method, ...udpLines(probe)];
    case "MISC_CHECK":
      return [
        method,
        `   script = ${commandText(probe.script.command, facts)}`,
        `   timeout = ${probe.timeout / 1000}`,
        `   dynamic = ${probe.dynamic ? "YES" : "NO"}`,
        `   uid:gid = ${Object.values(facts.machine.identity(probe.script)).join(":")}`,
      ];
    case "FILE_CHECK":
      return [method, ...fileLines(probe.path, facts), item("Reloaded = No")];
    default:
      return [method];
  }
}

function pageLines({ path, statuses, digests, regex }: Page, host: string | undefined): string[] {
  const isAny = statuses.some(([from, to]) => from === 0 && to === 999);
  return [
    `   Checked url = ${path}`,
    ...digests.map((digest) => item(`digest = ${digest}`)),
    ...(isAny ? [] : [item("HTTP Status Code(s)"), ...joined(statuses).map(([from, to]) => item(`  ${rangeText(from, to)}`))]),
    ...(host === undefined ? [] : [item(`Virtual host = ${host}`)]),
    ...(regex === undefined ? [] : regexLines(regex)),
  ];
}

const rangeText = (from: number, to: number): string => (from === to ? String(from) : `${from}-${to}`);

/** Ranges that touch are one. */
function joined(ranges: Page["statuses"]): [number, number][] {
  const out: [number, number][] = [];
  for (const [from, to] of [...ranges].sort(([a], [b]) => a - b)) {
    const last = out.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else out.push([from, to]);
  }
  return out;
}

function regexLines({ source, not, minOffset, maxOffset }: PagePattern): string[] {
  const offset = maxOffset === undefined ? `${minOffset}` : `${minOffset}, max_offset = ${maxOffset}`;
  return [
    item(`Regex = "${source}"`),
    ...(not ? [item("Regex no match")] : []),
    ...(minOffset > 0 || maxOffset !== undefined ? [item(`Regex min offset = ${offset}`)] : []),
  ];
}

function udpLines({ payload, reply }: Extract<Probe, { type: "UDP_CHECK" }>): string[] {
  return [
    payload === defaultPayload ? "   Payload specified = no" : `   Payload len = ${payload.length / 2}`,
    `   Require reply = ${yesNo(reply !== undefined)}`,
    ...(reply === undefined
      ? []
      : [
          item(`Min reply length = ${reply.minLength}`),
          item(`Max reply length = ${reply.maxLength}`),
          item(`Reply data len = ${Math.ceil(reply.pattern.length / 2)}`),
          ...(reply.pattern === "" ? [] : [item(`Reply data mask = ${yesNo(/X/i.test(reply.pattern))}`)]),
        ]),
  ];
}

const fileLines = (path: string, { config }: Facts): string[] =>
  config.trackFile.filter(({ file }) => file === path).map(({ header }) => item(`Tracked file = ${header}`));
