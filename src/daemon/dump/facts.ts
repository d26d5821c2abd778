import { existsSync, realpathSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import type { KeepalivedConfig } from "../../config/keywords.ts";
import type { HealthConfig } from "../../health/config.ts";
import { NETLINK_ROUTE, openNetlink } from "../../platform/netlink.ts";
import type { Script, VrrpConfig } from "../../vrrp/config.ts";
import type { InterfaceAddress } from "../../wire/rtnetlink-address.ts";
import { RtNetlink } from "../../wire/rtnetlink-client.ts";
import type { Link } from "../../wire/rtnetlink-link.ts";
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
  readonly machine: Machine;
  /** ms since 1970. */
  readonly now: number;
}

/** What a configuration asks for, and what the processes say; undefined where there is none. */
export const factsOf = (
  wanted: Pick<Facts, "config" | "vrrp" | "health">,
  said: { readonly vrrp: VrrpStatus | undefined; readonly health: readonly ServiceStatus[] | undefined },
): Facts => ({
  ...{ config: wanted.config, vrrp: wanted.vrrp, health: wanted.health },
  status: said.vrrp ?? { instances: [], groups: {}, trackers: nothingTracked },
  services: said.health ?? [],
  machine: thisMachine(),
  now: Date.now(),
});

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
