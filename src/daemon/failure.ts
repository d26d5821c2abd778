import { LAYOUT_FAULT } from "../director/xdp/types.ts";
import { explain, Fault } from "../fault.ts";

/** Why lvsd did not start, as one line, and its exit code (after sysexits.h). */
export interface Failure {
  readonly line: string;
  readonly exit: number;
}

export const EXIT_DEFECT = 70;
/** EX_CONFIG */
export const EXIT_CONFIG = 78;

const kinds: Readonly<Record<string, { readonly exit: number; readonly advice?: string }>> = {
  EPERM: { exit: 77, advice: "run it as root, or with CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON" },
  EACCES: { exit: 77, advice: "run it as root, or with CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON" },
  ENOSYS: { exit: 69 },
  EOPNOTSUPP: { exit: 69 },
  [LAYOUT_FAULT]: { exit: EXIT_CONFIG, advice: "nothing was changed" },
};

/** A Fault has a reason that a person can act on; for any other error this is undefined: it is a defect. */
export function failureOf(error: unknown): Failure | undefined {
  if (!(error instanceof Fault)) return undefined;
  const { exit, advice } = kinds[rootCode(error)] ?? { exit: 1 };
  const line = explain(error).replaceAll(/\s*\n\s*/g, " ");
  return { exit, line: advice === undefined ? line : `${line}; ${advice}` };
}

/**
 * Of a job that comes again and again: a system call that fails is told once, and tried again the next time. Anything else is
 * a defect, and thrown.
 */
export function retried(job: () => void, tell: (reason: string) => void): () => void {
  let told = "";
  return () => {
    try {
      job();
      told = "";
    } catch (error) {
      if (!(error instanceof Fault || (error instanceof Error && "syscall" in error))) throw error;
      const reason = explain(error);
      if (reason !== told) tell(reason);
      told = reason;
    }
  };
}

/** A Fault that wraps another says what was tried; the innermost says why not. */
function rootCode(fault: Fault): string {
  return fault.cause instanceof Fault && kinds[fault.code] === undefined ? rootCode(fault.cause) : fault.code;
}
