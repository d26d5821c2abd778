import koffi from "koffi";

/** The event loop's view of a descriptor. One watch at a time for each descriptor; dupFd() makes another. */
export interface Watch {
  /** Let the event loop end in spite of it. */
  unref(): void;
  /** To be called before the descriptor is closed. May be called twice. */
  close(): void;
}

type Handle = ReturnType<typeof koffi.node.poll>;
const handles = new Set<Handle>(); // one that nobody refers to is collected, and its descriptor no longer watched

/** Calls back whenever the descriptor can be read (or written), again and again while that is so. */
export function watchFd(fd: number, ready: () => void, on: "readable" | "writable" = "readable"): Watch {
  const events = { readable: on === "readable", writable: on === "writable" };
  /** An error on the descriptor (POLLERR) ends libuv's watch; koffi says so by a negative status, before the events. */
  const heard = (status: unknown): void => {
    guarded(ready);
    if (Number(status) < 0 && handles.has(handle)) handle.start(events, heard);
  };
  const handle = koffi.node.poll(fd, events, heard);
  handles.add(handle);
  return {
    unref: () => handle.unref(),
    close() {
      if (handles.delete(handle)) handle.close();
    },
  };
}

/** koffi.node.poll swallows what its callback throws and never calls again; thrown from an immediate it ends the process. */
function guarded(ready: () => void): void {
  try {
    ready();
  } catch (error) {
    setImmediate(() => {
      throw error;
    });
  }
}
