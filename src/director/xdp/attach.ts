import { existsSync, readdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "../../fault.ts";
import { linkInfo, openPinned, pin } from "../../platform/bpf.ts";
import { attachTc, attachXdp, detachLink, detachTc, queryTc, updateLink, type XdpMode } from "../../platform/bpf-link.ts";
import { closeFd } from "../../platform/process.ts";
import type { Attachment } from "../status.ts";

/**
 * Our program on interfaces. On XDP by links, which are pinned and so outlive the daemon; on tc by filters, which stay by
 * themselves.
 */

type Held =
  | { readonly attachment: Attachment & { hook: "xdp" }; readonly linkFd: number; readonly pinPath: string | undefined }
  | { readonly attachment: Attachment & { hook: "tc" } };

/** Our filter's place among others of clsact ingress: early, and recognizable. */
const SLOT = { handle: 0x1b5, priority: 1 } as const;

export class Attachments {
  readonly #held: Held[] = [];
  readonly #directory: string | undefined;
  #egress: number | undefined;

  constructor(directory: string | undefined) {
    this.#directory = directory;
  }

  list(): readonly Attachment[] {
    return this.#held.map(({ attachment }) => attachment);
  }

  /** Takes over a link that an earlier lvsd left on the interface, or makes one. */
  attachXdp(name: string, ifindex: number, program: number, mode: XdpMode): Attachment {
    const pinPath = this.#directory === undefined ? undefined : join(this.#directory, `link-${ifindex}`);
    const left = pinPath === undefined ? undefined : takeLink(pinPath, ifindex);
    if (left !== undefined) {
      updateLink(left, program);
      return this.#hold({ interface: name, ifindex, hook: "xdp", mode: nameOf(mode), adopted: true }, left, pinPath);
    }
    const [linkFd, actual] = attach(name, ifindex, program, mode);
    if (pinPath !== undefined) pin(linkFd, pinPath);
    return this.#hold({ interface: name, ifindex, hook: "xdp", mode: actual, adopted: false }, linkFd, pinPath);
  }

  attachTc(name: string, ifindex: number, program: number): Attachment {
    const adopted = queryTc(ifindex, "ingress", SLOT) !== undefined;
    attachTc(ifindex, "ingress", program, SLOT);
    const attachment = { interface: name, ifindex, hook: "tc", mode: "tc", adopted } as const;
    this.#held.push({ attachment });
    return attachment;
  }

  /** The program that finds answers of the director's own servers: on all interfaces, or (undefined) on none. */
  setEgress(program: number | undefined): void {
    if (program === this.#egress) return;
    this.#egress = program;
    for (const { attachment } of this.#held) {
      if (program === undefined) detachTc(attachment.ifindex, "egress", SLOT);
      else attachTc(attachment.ifindex, "egress", program, SLOT);
    }
  }

  /**
   * What an earlier lvsd left on interfaces that are not wanted any more, or on the other hook of one that is.
   * @param all interfaces there are
   */
  dropOthers(all: Iterable<number>): void {
    const tc = new Set(
      this.#held.filter(({ attachment }) => attachment.hook === "tc").map(({ attachment }) => attachment.ifindex),
    );
    for (const ifindex of all) {
      if (!tc.has(ifindex)) detachTc(ifindex, "ingress", SLOT);
      if (this.#egress === undefined) detachTc(ifindex, "egress", SLOT);
    }
    if (this.#directory === undefined || !existsSync(this.#directory)) return;
    const kept = new Set(this.#held.map((held) => ("pinPath" in held ? held.pinPath : undefined)));
    for (const name of readdirSync(this.#directory)) {
      const path = join(this.#directory, name);
      if (name.startsWith("link-") && !kept.has(path)) unlinkSync(path);
    }
  }

  /** Takes the program off all interfaces. */
  detach(): void {
    this.setEgress(undefined);
    for (const held of this.#held) {
      if ("linkFd" in held) {
        detachLink(held.linkFd);
        if (held.pinPath !== undefined && existsSync(held.pinPath)) unlinkSync(held.pinPath);
      } else {
        detachTc(held.attachment.ifindex, "ingress", SLOT);
      }
    }
  }

  close(): void {
    for (const held of this.#held.splice(0)) if ("linkFd" in held) closeFd(held.linkFd);
  }

  #hold(attachment: Attachment & { hook: "xdp" }, linkFd: number, pinPath: string | undefined): Attachment {
    this.#held.push({ attachment, linkFd, pinPath });
    return attachment;
  }
}

const nameOf = (mode: XdpMode): "native" | "generic" => (mode === "generic" ? "generic" : "native");

/** `auto` takes native where the driver has it. */
function attach(name: string, ifindex: number, program: number, mode: XdpMode): [number, "native" | "generic"] {
  const tries: ("native" | "generic")[] = mode === "auto" ? ["native", "generic"] : [mode];
  let last: unknown;
  for (const each of tries) {
    try {
      return [attachXdp(ifindex, program, each), each];
    } catch (error) {
      last = error;
      if (error instanceof Fault && error.code === "EBUSY")
        throw new Fault("attach", "EBUSY", `${name} has an XDP program already, of somebody else (see \`bpftool net\`)`, error);
    }
  }
  throw new Fault("attach", last instanceof Fault ? last.code : "EIO", `${name}, mode ${mode}`, last);
}

/** A pinned link that still holds the interface; one of an interface that is gone is removed. */
function takeLink(path: string, ifindex: number): number | undefined {
  if (!existsSync(path)) return undefined;
  const fd = openPinned(path);
  if (linkInfo(fd).ifindex === ifindex) return fd;
  closeFd(fd);
  unlinkSync(path);
  return undefined;
}
