import { existsSync, mkdirSync, readdirSync, readlinkSync, rmdirSync, unlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Fault } from "../fault.ts";
import { familyOf, type Ip, ipBytes, ipFromBytes } from "../net/ip.ts";
import { linkInfo, openPinned, pin } from "../platform/bpf.ts";
import { attachTc, attachXdp, detachLink, detachTc, queryTc, removeClsact, type TcSlot } from "../platform/bpf-link.ts";
import { BpfMap } from "../platform/bpf-map.ts";
import { BpfObject } from "../platform/bpf-object.ts";
import { ensureBpffs } from "../platform/bpffs.ts";
import { NETLINK_ROUTE, openNetlink } from "../platform/netlink.ts";
import { closeFd, raiseMemlock } from "../platform/process.ts";
import type { NetlinkPort } from "../wire/netlink-client.ts";
import type { Link } from "../wire/rtnetlink-link.ts";
import { exits } from "./exits.ts";
import type { Attachment } from "./plan.ts";
import { hasClsact, hasFilters } from "./qdisc.ts";
import { stateName } from "./store.ts";

/** The decapsulation program: on interfaces, pinned so that it outlives lvsctl, and what it is told and tells. */

export type Hook = "auto" | "xdp" | "tc";

const MAPS = ["rs_addresses", "rs_gue_port", "rs_exits"] as const;
/** First in line, since a director's filter would end it; the handle tells ours from the director's at the same place. */
const SLOT: TcSlot = { handle: 0x7273, priority: 1 };
const ARPHRD_ETHER = 1;
const OWN = 1;
const VIP = 2;

/** On the bpffs, for this network namespace. */
const directory = (): string => join(ensureBpffs().path, stateName());
const pinOf = (ifindex: number): string => join(directory(), `link-${ifindex}`);

/** Beside bin/ when bundled, in build/ of the checkout otherwise. */
export function objectPath(): string {
  const near = ["../build/realserver.bpf.o", "../lib/realserver.bpf.o", "../../build/realserver.bpf.o"].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  const found = near.find((path) => existsSync(path));
  if (found === undefined)
    throw new Fault("load decapsulation", "ENOENT", `no realserver.bpf.o in ${near.join(", ")}: run make build`);
  return found;
}

export function attach(link: Link, hook: Hook): Attachment {
  if (link.hardware !== ARPHRD_ETHER) throw new Fault(`attach to ${link.name}`, "EINVAL", "not an Ethernet interface");
  const name = { interface: link.name, ifindex: link.ifindex };
  if (hook === "tc" || (hook === "auto" && !mayGainFromXdp(link))) return { ...name, ...attachAtTc(link) };
  try {
    attachAtXdp(link, hook === "auto" ? ["native"] : ["native", "generic"]);
    return { ...name, hook: "xdp", ownsClsact: false };
  } catch (error) {
    if (hook === "xdp") throw error;
    return { ...name, ...attachAtTc(link) };
  }
}

/**
 * XDP in the driver is the faster one on network cards. Virtual links hand over GSO packets with checksums to be finished, which
 * XDP would have them cut up for, and what runs XDP in the stack copies every packet: there tc is.
 */
function mayGainFromXdp(link: Link): boolean {
  if (link.kind !== "") return false;
  try {
    return basename(readlinkSync(`/sys/class/net/${link.name}/device/driver`)) !== "virtio_net";
  } catch {
    return false; // no device behind it, or the /sys of another namespace
  }
}

function attachAtXdp(link: Link, modes: readonly ("native" | "generic")[]): void {
  withProgram("rs_xdp", (program) => {
    const fd = attachInMode(link, program, modes);
    try {
      pin(fd, pinOf(link.ifindex));
    } finally {
      closeFd(fd);
    }
  });
}

function attachInMode(link: Link, program: number, [mode, ...others]: readonly ("native" | "generic")[]): number {
  if (mode === undefined) throw new Fault(`attach to ${link.name}`, "EOPNOTSUPP", "no XDP mode works");
  try {
    return attachXdp(link.ifindex, program, mode);
  } catch (cause) {
    const isTaken = cause instanceof Fault && cause.code === "EBUSY";
    if (isTaken) throw new Fault(`attach to ${link.name}`, "EBUSY", "another XDP program is there; try --hook tc", cause);
    if (others.length === 0) throw cause;
    return attachInMode(link, program, others);
  }
}

function attachAtTc(link: Link): Pick<Attachment, "hook" | "ownsClsact"> {
  const ownsClsact = !withPort((port) => hasClsact(port, link.ifindex));
  withProgram("rs_tc", (program) => attachTc(link.ifindex, "ingress", program, SLOT));
  return { hook: "tc", ownsClsact };
}

/** Loads one of the two, on the maps that are pinned already or that it pins. */
function withProgram<T>(name: "rs_xdp" | "rs_tc", use: (fd: number) => T): T {
  raiseMemlock();
  const object = BpfObject.open(objectPath(), { name: "rs" });
  try {
    mkdirSync(directory(), { recursive: true });
    for (const map of MAPS) object.setPinPath(map, join(directory(), map));
    object.setAutoload(name === "rs_xdp" ? "rs_tc" : "rs_xdp", false);
    object.load();
    return use(object.programFd(name));
  } finally {
    object.close();
  }
}

const withPort = <T>(use: (port: NetlinkPort) => T): T => {
  const port = openNetlink({ protocol: NETLINK_ROUTE });
  try {
    return use(port);
  } finally {
    port.close();
  }
};

export function isAttached({ ifindex, hook }: Attachment): boolean {
  if (hook === "tc") return queryTcIfThere(ifindex) !== undefined;
  const fd = openLink(ifindex);
  if (fd === undefined) return false;
  try {
    return linkInfo(fd).ifindex === ifindex; // 0 when the interface is gone
  } finally {
    closeFd(fd);
  }
}

/** Nothing to do where it is not there any more, or its interface is not. */
export function detach(attachment: Attachment): void {
  const { ifindex, hook, ownsClsact } = attachment;
  if (hook === "xdp") detachXdp(ifindex);
  else detachFromTc(ifindex, ownsClsact);
}

function detachFromTc(ifindex: number, ownsClsact: boolean): void {
  if (queryTcIfThere(ifindex) === undefined) return;
  detachTc(ifindex, "ingress", SLOT);
  if (ownsClsact && !withPort((port) => hasFilters(port, ifindex))) removeClsact(ifindex);
}

function detachXdp(ifindex: number): void {
  const fd = openLink(ifindex);
  if (fd === undefined) return;
  detachLink(fd);
  closeFd(fd);
  unlinkSync(pinOf(ifindex));
}

function openLink(ifindex: number): number | undefined {
  return existsSync(pinOf(ifindex)) ? openPinned(pinOf(ifindex)) : undefined;
}

function queryTcIfThere(ifindex: number): number | undefined {
  try {
    return queryTc(ifindex, "ingress", SLOT);
  } catch (error) {
    if (error instanceof Fault && error.code === "ENODEV") return undefined;
    throw error;
  }
}

/** Makes the program know exactly these. Packets see an address before it was known, or after; never a half-written one. */
export function tellProgram(own: readonly Ip[], vips: readonly Ip[], guePort: number): void {
  withMap("rs_gue_port", (map) => map.update(new Uint8Array(4), uint32(guePort)));
  withMap("rs_addresses", (map) => {
    const wanted = new Map<Ip, number>([...own.map((a): [Ip, number] => [a, OWN]), ...vips.map((a): [Ip, number] => [a, VIP])]);
    for (const [address, as] of wanted) map.update(addressKey(address), uint32(as));
    for (const address of addressesIn(map).keys()) if (!wanted.has(address)) map.delete(addressKey(address));
  });
}

/** The host's own addresses, as the program knows them. */
export const knownOwn = (): Ip[] =>
  withMap("rs_addresses", (map) => [...addressesIn(map)].filter(([, as]) => as === OWN).map(([address]) => address));

/** How many packets left by each exit since the program was first attached. */
export function readExits(): Record<string, number> {
  return withMap("rs_exits", (map) => {
    const value = new Uint8Array(map.valueBytes);
    const counts = exits.map(({ word }, i): [string, number] => {
      map.lookup(uint32(i), value);
      const perCpu = new BigUint64Array(value.buffer);
      return [word, Number(perCpu.reduce((sum, n) => sum + n, 0n))];
    });
    return Object.fromEntries(counts);
  });
}

/** Takes the pins away, with them the maps once nothing is attached. */
export function unpinAll(): void {
  const at = directory();
  if (!existsSync(at)) return;
  for (const name of readdirSync(at)) unlinkSync(join(at, name));
  rmdirSync(at);
}

function withMap<T>(name: (typeof MAPS)[number], use: (map: BpfMap) => T): T {
  const map = BpfMap.pinned(join(directory(), name));
  try {
    return use(map);
  } finally {
    map.close();
  }
}

function addressesIn(map: BpfMap): Map<Ip, number> {
  const found = new Map<Ip, number>();
  const key = new Uint8Array(16);
  const value = new Uint8Array(4);
  for (let last: Uint8Array | undefined; map.nextKey(last, key); last = key)
    if (map.lookup(key, value)) found.set(addressFromKey(key), new Uint32Array(value.slice().buffer)[0] ?? 0);
  return found;
}

const MAPPED = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

/** struct address: IPv4 as ::ffff:a.b.c.d. */
export const addressKey = (address: Ip): Uint8Array =>
  familyOf(address) === "ipv4" ? Uint8Array.of(...MAPPED, ...ipBytes(address)) : ipBytes(address);

const addressFromKey = (key: Uint8Array): Ip => ipFromBytes(MAPPED.every((byte, i) => key[i] === byte) ? key.subarray(12) : key);

const uint32 = (n: number): Uint8Array => new Uint8Array(Uint32Array.of(n).buffer);
