import { Fault } from "../fault.ts";
import { options, type Struct } from "./koffi.ts";
import { checkBpf, libbpf, withLog } from "./libbpf.ts";

/** Programs on interfaces. Interfaces are by index, in the network namespace of the calling thread. */

const BPF_XDP = 37;
const XDP_FLAGS = { auto: 0, generic: 1 << 1, native: 1 << 2 } as const;

/** In the driver, in the stack, or the better one that the driver has. */
export type XdpMode = keyof typeof XDP_FLAGS;

/**
 * Attaches an XDP program by a link and returns the link's descriptor: the program stays while the descriptor or a pin of
 * it is there. Codes: EBUSY (somebody else's XDP program is there), ENODEV, EOPNOTSUPP (no native mode), EINVAL.
 */
export function attachXdp(ifindex: number, programFd: number, mode: XdpMode): number {
  const opts = options(64); // bpf_link_create_opts
  opts.view.setUint32(8, XDP_FLAGS[mode], true);
  return checkBpf("attach XDP", libbpf().linkCreate(programFd, ifindex, BPF_XDP, opts.bytes), `interface ${ifindex}, ${mode}`);
}

/**
 * Replaces a link's program without a packet in between. With `expectedFd`, only if that is the present one (else EPERM).
 * ENOLINK: the interface is gone.
 */
export function updateLink(linkFd: number, programFd: number, expectedFd?: number): void {
  const opts = options(16); // bpf_link_update_opts
  if (expectedFd !== undefined) {
    opts.view.setUint32(8, 1 << 2, true); // BPF_F_REPLACE
    opts.view.setUint32(12, expectedFd, true);
  }
  checkBpf("update link", libbpf().linkUpdate(linkFd, programFd, opts.bytes), `descriptor ${linkFd}`);
}

/** Takes the program off its interface, whoever else holds the link. */
export function detachLink(linkFd: number): void {
  checkBpf("detach link", libbpf().linkDetach(linkFd), `descriptor ${linkFd}`);
}

const ENOENT = 2;
const EINVAL = 22;
const EEXIST = 17;
const TC_HOOK = { ingress: 1, egress: 2 } as const;
const BOTH = TC_HOOK.ingress | TC_HOOK.egress;
const BPF_TC_F_REPLACE = 1;

export type TcHook = keyof typeof TC_HOOK;

/** Which filter of the hook is ours: by default handle 1 at priority 1, so before others. */
export interface TcSlot {
  readonly handle?: number;
  /** 1 comes first. */
  readonly priority?: number;
}

/** Attaches a direct-action tc program, with a clsact qdisc if there is none yet; what is in the slot is replaced. */
export function attachTc(ifindex: number, hook: TcHook, programFd: number, slot: TcSlot = {}): void {
  const qdisc = tcHook(ifindex, BOTH);
  tc(`create clsact on interface ${ifindex}`, () => libbpf().tcHookCreate(qdisc.bytes), EEXIST);
  const opts = tcOptions(slot);
  opts.view.setInt32(8, programFd, true);
  opts.view.setUint32(12, BPF_TC_F_REPLACE, true);
  tc(`interface ${ifindex} ${hook}`, () => libbpf().tcAttach(tcHook(ifindex, TC_HOOK[hook]).bytes, opts.bytes));
}

/** The id of the program in a slot, undefined when it is empty. */
export function queryTc(ifindex: number, hook: TcHook, slot: TcSlot = {}): number | undefined {
  const opts = tcOptions(slot);
  const query = () => libbpf().tcQuery(tcHook(ifindex, TC_HOOK[hook]).bytes, opts.bytes);
  return tc(`interface ${ifindex} ${hook}`, query, ENOENT, EINVAL) ? opts.view.getUint32(16, true) : undefined;
}

/** Empties a slot; false when it was empty. */
export function detachTc(ifindex: number, hook: TcHook, slot: TcSlot = {}): boolean {
  const detach = () => libbpf().tcDetach(tcHook(ifindex, TC_HOOK[hook]).bytes, tcOptions(slot).bytes);
  return tc(`interface ${ifindex} ${hook}`, detach, ENOENT, EINVAL);
}

/** Removes the clsact qdisc with every filter on it, other people's too; false when there was none. */
export function removeClsact(ifindex: number): boolean {
  return tc(`remove clsact of interface ${ifindex}`, () => libbpf().tcHookDestroy(tcHook(ifindex, BOTH).bytes), ENOENT, EINVAL);
}

/** False for the errnos that are as good as done: EINVAL is how the kernel says that there is no clsact at all. */
function tc(detail: string, call: () => number, ...fine: number[]): boolean {
  const { result, log } = withLog(call);
  if (result >= 0) return true;
  if (fine.includes(-result)) return false;
  throw Fault.fromErrno("tc", -result, [detail, ...log.trim().split("\n").filter(Boolean)].join("; "));
}

function tcHook(ifindex: number, point: number): Struct {
  const hook = options(24); // bpf_tc_hook
  hook.view.setInt32(8, ifindex, true);
  hook.view.setUint32(12, point, true);
  return hook;
}

function tcOptions({ handle = 1, priority = 1 }: TcSlot): Struct {
  const opts = options(32); // bpf_tc_opts
  opts.view.setUint32(20, handle, true);
  opts.view.setUint32(24, priority, true);
  return opts;
}
