import { existsSync, readdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "../../fault.ts";
import { linkInfo, openPinned, pin } from "../../platform/bpf.ts";
import { attachXdp, detachLink, updateLink, type XdpMode } from "../../platform/bpf-link.ts";
import { closeFd } from "../../platform/process.ts";
import type { Attachment } from "../status.ts";

/** Our program on interfaces, by links that are pinned and so outlive the daemon. */

interface Held {
  readonly attachment: Attachment;
  readonly linkFd: number;
  readonly pinPath: string | undefined;
}

export class Attachments {
  readonly #held: Held[] = [];
  readonly #directory: string | undefined;

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

  /** Links of interfaces that are not wanted any more. */
  dropOthers(): void {
    if (this.#directory === undefined || !existsSync(this.#directory)) return;
    const kept = new Set(this.#held.map(({ pinPath }) => pinPath));
    for (const name of readdirSync(this.#directory)) {
      const path = join(this.#directory, name);
      if (name.startsWith("link-") && !kept.has(path)) unlinkSync(path);
    }
  }

  /** Takes the program off all interfaces. */
  detach(): void {
    for (const { linkFd, pinPath } of this.#held) {
      detachLink(linkFd);
      if (pinPath !== undefined && existsSync(pinPath)) unlinkSync(pinPath);
    }
  }

  close(): void {
    for (const { linkFd } of this.#held.splice(0)) closeFd(linkFd);
  }

  #hold(attachment: Attachment, linkFd: number, pinPath: string | undefined): Attachment {
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
