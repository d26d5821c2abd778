import type { KeepalivedConfig } from "../../config/keywords.ts";
import type { Script } from "../../vrrp/config.ts";

/** What the file says about the parent process itself (spec 1.4, 1.5, 2.7). */
export interface ParentWords {
  /** Time children have to end, ms. */
  readonly childWait: number;
  readonly startup: Once | undefined;
  readonly shutdown: Once | undefined;
  /** Network namespace of everything, and of the services. "": the one lvsd was started in. */
  readonly namespace: string | undefined;
  readonly namespaceIpvs: string | undefined;
  readonly instance: string | undefined;
  readonly usePidDir: boolean;
  readonly umask: number | undefined;
  /** What ps calls this process; children have names of their own. */
  readonly processName: string | undefined;
}

/** A script that is waited for. */
export interface Once {
  readonly script: Script;
  /** ms */
  readonly timeout: number;
}

export function parentWords(config: KeepalivedConfig): ParentWords {
  const g = config.globalDefs;
  const once = (script: { readonly command: readonly string[]; readonly user?: string; readonly group?: string } | undefined) =>
    script === undefined || script.command.length === 0
      ? undefined
      : { command: script.command, user: script.user, group: script.group };
  const within = (script: Script | undefined, seconds: number): Once | undefined => script && { script, timeout: seconds * 1000 };
  return {
    childWait: config.childWaitTime * 1000,
    startup: within(once(g?.startupScript), g?.startupScriptTimeout ?? 10),
    shutdown: within(once(g?.shutdownScript), g?.shutdownScriptTimeout ?? 10),
    namespace: config.netNamespace,
    namespaceIpvs: config.netNamespaceIpvs,
    instance: config.instance,
    usePidDir: config.usePidDir,
    umask: g?.origins.umask === undefined ? undefined : g.umask,
    processName: g?.processName ?? (g?.processNames ? "keepalived" : undefined),
  };
}
