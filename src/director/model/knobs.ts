import type { Defence } from "../defence.ts";

/** Settings as the pipeline reads them (spec 7.1). */
export interface Knobs extends Defence {
  readonly sloppyTcp: boolean;
  readonly sloppySctp: boolean;
  readonly cacheBypass: boolean;
  readonly expireNodestConn: boolean;
  readonly expireQuiescentTemplate: boolean;
  readonly natIcmpSend: boolean;
  readonly pmtuDisc: boolean;
  readonly scheduleIcmp: boolean;
  readonly runEstimation: boolean;
  /** A bitmap. */
  readonly connReuseMode: number;
  /** backup_only is set and a backup daemon runs: input is ignored. */
  readonly isBackup: boolean;
}

export function knobsOf(setting: (name: string) => string, defence: Defence, hasBackupDaemon: boolean): Knobs {
  const isOn = (name: string): boolean => setting(name) !== "0";
  return {
    ...defence,
    sloppyTcp: isOn("sloppy_tcp"),
    sloppySctp: isOn("sloppy_sctp"),
    cacheBypass: isOn("cache_bypass"),
    expireNodestConn: isOn("expire_nodest_conn"),
    expireQuiescentTemplate: isOn("expire_quiescent_template"),
    natIcmpSend: isOn("nat_icmp_send"),
    pmtuDisc: isOn("pmtu_disc"),
    scheduleIcmp: isOn("schedule_icmp"),
    runEstimation: isOn("run_estimation"),
    connReuseMode: Number(setting("conn_reuse_mode")),
    isBackup: isOn("backup_only") && hasBackupDaemon,
  };
}
