import { explain, Fault } from "../../fault.ts";
import { loadModule } from "../../platform/modules.ts";
import { NETLINK_GENERIC, openNetlink } from "../../platform/netlink.ts";
import { findFamily, type GenlFamily } from "../../wire/genl.ts";
import { IPVS_FAMILY, IPVS_VERSION } from "../../wire/ipvs-netlink.ts";
import { NetlinkClient } from "../../wire/netlink-client.ts";
import {
  type Conn,
  type ConnMethod,
  type DirectorInfo,
  endpointText,
  type Operation,
  type Refusal,
  type Service,
  type ServiceKey,
  type SyncDaemon,
  serviceId,
  type Timeouts,
} from "../director.ts";
import type { EngineDirector, EngineOptions, Log } from "../engine.ts";
import type { MarkRule } from "../marks.ts";
import type { Attachment, ExplainQuery, Explanation, TableUse } from "../status.ts";
import { linesOf, type MethodOf, parseConnLine } from "./conn-lines.ts";
import { explainFlow } from "./explain.ts";
import { KernelIpvs } from "./ipvs.ts";
import { readPieces } from "./proc.ts";
import { ipvsSysctls, type Sysctls } from "./sysctls.ts";
import { Transaction } from "./transaction.ts";

const CONN_LIST = "/proc/net/ip_vs_conn";

export interface KernelParts {
  /** Asked for anew each time, as ipvsadm does: a module that was taken out and put in again has another number. */
  readonly family: () => GenlFamily;
  readonly sysctls: Sysctls;
  /** The text of /proc/net/ip_vs_conn, in pieces. */
  readonly connList: () => Iterable<string>;
  readonly log: Log;
  close(): void;
}

/** The `Director` over the kernel's IPVS. Nothing is kept here: every question is the kernel's to answer. */
export class KernelDirector implements EngineDirector {
  readonly engine = "kernel";
  readonly #parts: KernelParts;
  #isOpen = true;

  constructor(parts: KernelParts) {
    this.#parts = parts;
  }

  #ipvs(): KernelIpvs {
    return new KernelIpvs(this.#parts.family(), this.#parts.sysctls);
  }

  info(): DirectorInfo {
    return this.#ipvs().info();
  }

  apply(operations: readonly Operation[]): readonly Refusal[] {
    return new Transaction(this.#ipvs(), this.#parts.log).apply(operations);
  }

  services(): readonly Service[] {
    return this.#ipvs().services();
  }

  service(key: ServiceKey): Service | undefined {
    return this.#ipvs().service(key);
  }

  *conns(): Generator<Conn> {
    const methodOf = methodsOf(this.services());
    for (const line of linesOf(this.#parts.connList())) {
      const conn = parseConnLine(line, methodOf);
      if (conn !== undefined) yield conn;
    }
  }

  timeouts(): Timeouts {
    return this.#ipvs().timeouts();
  }

  settings(): Readonly<Record<string, string>> {
    return this.#ipvs().settings();
  }

  syncDaemons(): readonly SyncDaemon[] {
    return this.#ipvs().syncDaemons();
  }

  /** The kernel has its own clock. */
  tick(): void {}

  /** The kernel's hooks are everywhere. */
  attachments(): readonly Attachment[] {
    return [];
  }

  exits(): Readonly<Record<string, number>> {
    return {};
  }

  /** Conns as the dests count them, templates too; the kernel's table grows (capacity 0: no limit). */
  tableUse(): TableUse {
    const services = this.services();
    const dests = services.flatMap((service) => service.dests);
    const conns = dests.reduce((sum, dest) => sum + dest.activeConns + dest.inactiveConns + dest.persistConns, 0);
    return { conns, capacity: 0, services: services.length, dests: dests.length };
  }

  explain(query: ExplainQuery): Explanation {
    return explainFlow(query, this);
  }

  marks(): readonly MarkRule[] {
    return [];
  }

  /** The kernel's IPVS comes after nftables, which sets marks. */
  setMarks(rules: readonly MarkRule[]): readonly Refusal[] {
    if (rules.length === 0) return [];
    const message = "the kernel's IPVS goes by the marks of nftables and iptables: set them there, or use lvsd --engine xdp";
    return [{ index: 0, code: "EOPNOTSUPP", message }];
  }

  /** The kernel's table is nobody's in particular: it stays, `leave` or not. */
  stop(): void {
    this.close();
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#parts.close();
  }
}

/**
 * Conns say where they go, not how: the dest says that, as it is now. Of a dest that is gone, only what rewrites ports is certain.
 */
function methodsOf(services: readonly Service[]): MethodOf {
  const exact = new Map<string, ConnMethod>();
  const byDest = new Map<string, ConnMethod>();
  for (const { key, dests } of services) {
    for (const dest of dests) {
      exact.set(`${serviceId(key)} ${endpointText(dest)}`, dest.method);
      byDest.set(endpointText(dest), dest.method);
    }
  }
  return ({ protocol, virtual, dest }) => {
    const there = endpointText(dest);
    const known = exact.get(`${protocol} ${endpointText(virtual)} ${there}`) ?? byDest.get(there);
    return known ?? byDest.get(endpointText({ ...dest, port: 0 })) ?? (dest.port === virtual.port ? "route" : "nat");
  };
}

/** Throws a Fault: EPERM (no CAP_NET_ADMIN), ENOSYS (a kernel without ip_vs). */
export const openKernelDirector = async ({ log }: Pick<EngineOptions, "log">): Promise<KernelDirector> => {
  const socket = openNetlink({ protocol: NETLINK_GENERIC });
  const client = new NetlinkClient(socket);
  const director = new KernelDirector({
    family: () => findIpvs(client, log),
    sysctls: ipvsSysctls(),
    connList: () => readPieces(CONN_LIST),
    log,
    close: () => socket.close(),
  });
  try {
    director.info(); // may we?
    return director;
  } catch (error) {
    director.close();
    throw error;
  }
};

/** Like ipvsadm, it loads the module where there is none. */
function findIpvs(client: NetlinkClient, log: Log): GenlFamily {
  const find = () => findFamily(client, IPVS_FAMILY, IPVS_VERSION);
  try {
    return find();
  } catch (error) {
    if (!isMissing(error)) throw error;
    log.info("loading module", { module: "ip_vs" });
    const why = loadModule("ip_vs");
    try {
      return find();
    } catch (again) {
      if (!isMissing(again)) throw again;
      const detail = `this kernel has none: modprobe ip_vs was tried (${why ?? explain(again)}); lvsd --engine xdp needs none`;
      throw new Fault("open the kernel's IPVS", "ENOSYS", detail);
    }
  }
}

const isMissing = (error: unknown): boolean => error instanceof Fault && error.code === "ENOENT";
