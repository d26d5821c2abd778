/** The sysctls of /proc/sys/net/ipv4/vs as settings of a director, with their checks (spec 7.1). Values are text. */

/** The value as it reads back, or undefined: EINVAL. `before` is the value now in force. */
type Check = (text: string, before: string) => string | undefined;

const INT_MAX = 0x7fffffff;

function integer(min: number, max: number): Check {
  return (text) => {
    const value = /^\s*[+-]?\d+\s*$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? String(value) : undefined;
  };
}

const int = integer(-INT_MAX - 1, INT_MAX);
/** "bool" entries are plain ints: 5 is stored, reads back as 5 and means on. */
const bool = int;
const mode = integer(0, 3);
const seconds = integer(0, INT_MAX);

const powerOfTwo: Check = (text) => {
  const value = integer(1, INT_MAX)(text, "");
  return value !== undefined && (Number(value) & (Number(value) - 1)) === 0 ? value : undefined;
};

/** "t p"; one number changes t only. t < p unless p is 0. */
const threshold: Check = (text, before) => {
  const words = text.trim().split(/\s+/);
  const [t, p] = [words[0] ?? "", words[1] ?? before.split(" ")[1] ?? "0"].map((word) => integer(0, INT_MAX)(word, ""));
  if (t === undefined || p === undefined || words.length > 2) return undefined;
  return Number(t) < Number(p) || p === "0" ? `${t} ${p}` : undefined;
};

/** "0-3,8"; empty stops the estimators. */
const cpuList: Check = (text) => (/^(\d+(-\d+)?(,\d+(-\d+)?)*)?$/.test(text.trim()) ? text.trim() : undefined);

const table: Readonly<Record<string, readonly [initial: string, check: Check]>> = {
  amemthresh: ["1024", int],
  am_droprate: ["10", int],
  drop_entry: ["0", mode],
  drop_packet: ["0", mode],
  secure_tcp: ["0", mode],
  conntrack: ["0", bool],
  snat_reroute: ["1", bool],
  sync_version: ["1", integer(0, 1)],
  sync_ports: ["1", powerOfTwo],
  sync_persist_mode: ["0", int],
  sync_qlen_max: ["8192", integer(0, Number.MAX_SAFE_INTEGER)], // the kernel derives its default from the memory it has
  sync_sock_size: ["0", int],
  cache_bypass: ["0", bool],
  expire_nodest_conn: ["0", bool],
  sloppy_tcp: ["0", bool],
  sloppy_sctp: ["0", bool],
  expire_quiescent_template: ["0", bool],
  sync_threshold: ["3 50", threshold],
  sync_refresh_period: ["0", seconds],
  sync_retries: ["0", mode],
  nat_icmp_send: ["0", bool],
  pmtu_disc: ["1", bool],
  backup_only: ["0", bool],
  conn_reuse_mode: ["1", int],
  schedule_icmp: ["0", bool],
  ignore_tunneled: ["0", bool],
  run_estimation: ["1", bool],
  est_cpulist: ["", cpuList],
  est_nice: ["0", integer(-20, 19)],
  lblc_expiration: ["86400", seconds],
  lblcr_expiration: ["86400", seconds],
  debug_level: ["0", int],
};

export const defaultSettings: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(table).map(([name, [initial]]) => [name, initial]),
);

/** The value as it will read back, or why not: ENOENT for an unknown name, EINVAL for a value out of range. */
export function checkSetting(name: string, text: string, before: string): { value: string } | { code: "ENOENT" | "EINVAL" } {
  const check = Object.hasOwn(table, name) ? table[name]?.[1] : undefined;
  if (check === undefined) return { code: "ENOENT" };
  const value = check(text, before);
  return value === undefined ? { code: "EINVAL" } : { value };
}
