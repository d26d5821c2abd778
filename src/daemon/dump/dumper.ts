import type { Log } from "../../director/engine.ts";
import { explain } from "../../fault.ts";
import { dumpMode, dumpPath, dumpText } from "./dumps.ts";
import { type Facts, factsOf, type State } from "./facts.ts";
import type { Asked } from "./hear.ts";
import type { DumpName } from "./names.ts";
import { writeWhole } from "./write.ts";

/** Carries out what signals ask for: the files of keepalived, in its places (spec 1.3, 5.1). */

/** Whoever knows. */
export interface Source {
  /** @param clear the counters of VRRP begin at zero after this */
  state(clear: boolean): Promise<State>;
}

/** The dumps that were asked for, one after the other. @param source undefined: there is no configuration file, or not yet */
export function dumper(source: () => Source | undefined, log: Log): (what: Asked) => void {
  let before: Promise<void> = Promise.resolve();
  return (what) => {
    before = before.then(() => dump(what, source(), log));
  };
}

/** Never fails: what cannot be written is told. */
export async function dump(what: Asked, source: Source | undefined, log: Log): Promise<void> {
  if (source === undefined) {
    log.info("nothing to dump", { reason: "no configuration file is in use" });
    return;
  }
  try {
    const facts = factsOf(await source.state(what === "STATS_CLEAR"));
    for (const name of namesOf(what, facts)) put(name, facts, log);
  } catch (error) {
    log.error("not dumped", { what, reason: explain(error) });
  }
}

function namesOf(what: Asked, { config, vrrp, bfd }: Facts): readonly DumpName[] {
  const hasVrrp = vrrp.instances.length > 0 || Object.values(vrrp.statics).some((list) => list.length > 0);
  if (what === "DATA")
    return [
      ...(["parent", ...(hasVrrp ? (["data"] as const) : [])] as const),
      ...(config.virtualServer.length > 0 ? (["checks"] as const) : []),
      ...(bfd.sessions.length > 0 ? (["bfd"] as const) : []),
    ];
  return hasVrrp ? [what === "JSON" ? "json" : "stats"] : [];
}

function put(name: DumpName, facts: Facts, log: Log): void {
  const file = dumpPath(name, facts.config, process.env.TMPDIR || "/tmp");
  try {
    writeWhole(file, dumpText(name, facts), dumpMode(facts.config));
    log.info("dumped", { file });
  } catch (error) {
    log.error("not dumped", { file, reason: explain(error) });
  }
}
