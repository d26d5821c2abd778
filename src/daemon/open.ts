import type { OpenDirector } from "../director/engine.ts";

/** Each engine is loaded when it is chosen: hosts that keep ip_vs need no libbpf. */
export const openEngine: OpenDirector = async (options) => {
  if (options.engine === "kernel") return (await import("../director/kernel/kernel-director.ts")).openKernelDirector(options);
  return (await import("../director/xdp/xdp-director.ts")).openXdpDirector(options);
};
