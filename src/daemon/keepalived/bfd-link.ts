import type { BfdConfig } from "../../bfd/config.ts";
import type { Log } from "../../director/engine.ts";
import type { Up } from "../bfd/bfd.ts";
import type { Report } from "../bfd/process.ts";
import type { SessionStatus } from "../bfd/status.ts";
import { Child } from "./child.ts";

/** The BFD process, and the way of its news to those who track sessions: they are told all that is up, again and again. */

export interface Hearers {
  vrrp(order: { readonly type: "bfd"; readonly up: readonly string[] }): void;
  checker(order: { readonly type: "bfd"; readonly up: readonly string[] }): void;
}

export interface BfdLink {
  /** @returns what went wrong */
  configure(config: BfdConfig): Promise<string | undefined>;
  /** One of the hearers is new. */
  tell(who: keyof Hearers): void;
  status(): Promise<readonly SessionStatus[]>;
  stop(): Promise<void>;
}

const NONE: Up = { vrrp: [], checker: [] };

/** @param program the JavaScript file of the child */
export function linkBfd(program: string, log: Log, hearers: Hearers): BfdLink {
  let child: Child<BfdConfig, Report> | undefined;
  let up = NONE;
  const tell = (who: keyof Hearers): void => hearers[who]({ type: "bfd", up: up[who] });
  const tellAll = (now: Up): void => {
    up = now;
    tell("vrrp");
    tell("checker");
  };
  const onReport = (report: Report): void => {
    if (report.type === "failed") log.error("bfd refused", { reason: report.reason });
    if (report.type === "event") log.info("bfd", { ...report.event });
    if (report.type === "event" || report.type === "ready") tellAll(report.up);
  };
  return {
    async configure(config) {
      if (child !== undefined) return child.configure(config);
      if (config.sessions.length === 0) return undefined;
      // While it is dead nobody knows of any session that is up.
      child = new Child<BfdConfig, Report>(config, { name: "bfd", program, log, onReport, onEnd: () => tellAll(NONE) });
      return child.obeyed();
    },
    tell,
    async status() {
      const report = await child?.status();
      return report?.type === "status" ? report.sessions : [];
    },
    stop: async () => child?.stop(),
  };
}
