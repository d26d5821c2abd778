import { existsSync, realpathSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import type { BfdConfig } from "../../bfd/config.ts";
import type { KeepalivedConfig } from "../../config/keywords.ts";
import { Fault } from "../../fault.ts";
import type { HealthConfig } from "../../health/config.ts";
import { NETLINK_ROUTE, openNetlink } from "../../platform/netlink.ts";
import type { Script, VrrpConfig } from "../../vrrp/config.ts";
import type { InterfaceAddress } from "../../wire/rtnetlink-address.ts";
import { RtNetlink } from "../../wire/rtnetlink-client.ts";
import type { Link } from "../../wire/rtnetlink-link.ts";
import type { SessionStatus } from "../bfd/status.ts";
import type { ServiceStatus } from "../health/status.ts";
import { identityOf } from "../vrrp/scripts.ts";
import type { VrrpStatus } from "../vrrp/status.ts";
import { nothingTracked } from "../vrrp/trackers.ts";

/** What the dumps of keepalived's formats draw on. */

export interface Facts {
  readonly config: KeepalivedConfig;
  readonly vrrp: VrrpConfig;
  readonly health: HealthConfig;
  readonly status: VrrpStatus;
  readonly services: readonly ServiceStatus[];
  readonly bfd: BfdConfig;
  readonly sessions: readonly SessionStatus[];
  readonly machine: Machine;
  /** ms since 1970. */
  readonly now: number;
}

/** What a configuration asks for, and what the processes say that it has; undefined: one does not answer. */
export interface State extends Pick<Facts, "config" | "vrrp" | "health" | "bfd" | "sessions"> {
  readonly hasVrrp: boolean;
  readonly hasHealth: boolean;
  readonly status: VrrpStatus | undefined;
  readonly services: readonly ServiceStatus[] | undefined;
}

/** Throws a Fault when a process does not answer. */
export function factsOf(state: State): Facts {
  const { config, vrrp, health, hasVrrp, hasHealth, status, services, bfd, sessions } = state;
  const mute = hasVrrp && status === undefined ? "VRRP" : hasHealth && services === undefined ? "checkers" : undefined;
  if (mute !== undefined) throw new Fault("dump", "ETIMEDOUT", `the ${mute} process does not answer`);
  return {
    ...{ config, vrrp, health, bfd, sessions },
    status: status ?? { instances: [], groups: {}, trackers: nothingTracked },
    services: services ?? [],
    machine: thisMachine(),
    now: Date.now(),
  };
}

/** This machine, in this network namespace. */
export interface Machine {
  readonly hostName: string;
  readonly user: string;
  readonly links: readonly Link[];
  readonly addresses: readonly InterfaceAddress[];
  /** The file that a program's name means, without symbolic links. */
  resolve(program: string): string;
  /** Who would run it. */
  identity(script: Pick<Script, "user" | "group">): { readonly uid: number; readonly gid: number };
}

export function thisMachine(): Machine {
  const port = openNetlink({ protocol: NETLINK_ROUTE });
  try {
    const kernel = new RtNetlink(port);
    return {
      ...{ hostName: hostname(), user: userInfo().username, resolve, identity },
      ...{ links: kernel.links(), addresses: kernel.addresses() },
    };
  } finally {
    port.close();
  }
}

function resolve(program: string): string {
  const folders = program.includes("/") ? [""] : (process.env.PATH ?? "").split(":");
  const found = folders.map((folder) => (folder === "" ? program : join(folder, program))).find((path) => existsSync(path));
  return found === undefined ? program : realpathSync(found);
}

function identity({ user, group }: Pick<Script, "user" | "group">): { uid: number; gid: number } {
  const { uid = process.getuid?.() ?? 0, gid = process.getgid?.() ?? 0 } = identityOf({ command: [], user, group });
  return { uid, gid };
}
