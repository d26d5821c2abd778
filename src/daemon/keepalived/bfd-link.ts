import type { BfdConfig } from "../../bfd/config.ts";
import type { Log } from "../../director/engine.ts";
import type { Up } from "../bfd/bfd.ts";
import type { Report } from "../bfd/process.ts";
import type { SessionStatus } from "../bfd/status.ts";
import type { Asked } from "../dump/hear.ts";
import { Child, type ChildOptions } from "./child.ts";

/** The BFD process, and the way of its news to those who track sessions: they are told all that is up, again and again. */

export interface Hearers {
  dump(what: Asked): void;
  vrrp(order: { readonly type: "bfd"; readonly up: readonly string[] }): void;
  checker(order: { readonly type: "bfd"; readonly up: readonly string[] }): void;
}

export interface BfdLink {
  /** @returns what went wrong */
  configure(config: BfdConfig): Promise<string | undefined>;
  /** One of the hearers is new. */
  tell(who: keyof Up): void;
  status(): Promise<readonly SessionStatus[]>;
  /** Whether it answers within `ms`; true when there is none. */
  isAlive(ms: number): Promise<boolean>;
  stop(): Promise<void>;
}

const NONE: Up = { vrrp: [], checker: [] };

/** @param options of a child that is begun now, but for what is done here */
export function linkBfd(
  options: () => Pick<ChildOptions<Report>, "program" | "log" | "args" | "env" | "title" | "care">,
  hearers: Hearers,
  log: Log,
): BfdLink {
  let child: Child<BfdConfig, Report> | undefined;
  let up = NONE;
  const tell = (who: keyof Up): void => hearers[who]({ type: "bfd", up: up[who] });
  const tellAll = (now: Up): void => {
    up = now;
    tell("vrrp");
    tell("checker");
  };
  const onReport = (report: Report): void => {
    if (report.type === "failed") log.error("bfd refused", { reason: report.reason });
    if (report.type === "event") log.info("bfd", { ...report.event });
    if (report.type === "event" || report.type === "ready") tellAll(report.up);
    if (report.type === "dump") hearers.dump(report.what);
  };
  return {
    async configure(config) {
      if (child !== undefined) return child.configure(config);
      if (config.sessions.length === 0) return undefined;
      // While it is dead nobody knows of any session that is up.
      child = new Child<BfdConfig, Report>(config, { ...options(), name: "bfd", onReport, onEnd: () => tellAll(NONE) });
      return child.obeyed();
    },
    tell,
    async status() {
      const report = await child?.status();
      return report?.type === "status" ? report.sessions : [];
    },
    isAlive: async (ms) => (await child?.answers(ms)) !== false,
    stop: async () => child?.stop(),
  };
}
