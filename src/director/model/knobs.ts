/** Settings as the pipeline reads them (spec 7.1). */
export interface Knobs {
  /** The effective state, see defence.ts. */
  readonly secureTcp: boolean;
  /** One of so many packets that would open a conn is dropped; 0: none. */
  readonly dropRate: number;
  readonly dropEntry: boolean;
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

/** What the defences of spec 7.2 have come to. */
export interface Defence {
  readonly secureTcp: boolean;
  readonly dropRate: number;
  readonly dropEntry: boolean;
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
