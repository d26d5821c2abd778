/** The signals of lvsd by what they ask for, with keepalived's names and numbers (spec 1.3). */
export const SIGNALS = {
  STOP: 15,
  RELOAD: 1,
  /** SIGUSR1 */
  DATA: 10,
  /** SIGUSR2 */
  STATS: 12,
  /** SIGRTMAX - 1 */
  STATS_CLEAR: 63,
  /** SIGRTMIN + 2, with the C library's SIGRTMIN */
  JSON: 36,
} as const;
