import type { Notify, Script } from "./config.ts";
import type { Notice } from "./machine.ts";

/** What scripts and FIFOs are told (spec 3.13). */

export type NotifyWord = Notice | "DELETED" | "MASTER_PRIORITY" | "BACKUP_PRIORITY";

export interface Event {
  readonly type: "INSTANCE" | "GROUP";
  readonly name: string;
  readonly word: NotifyWord;
  /** Effective; of a group 0. */
  readonly priority: number;
}

const specific: Partial<Record<NotifyWord, keyof Notify>> = {
  MASTER: "master",
  BACKUP: "backup",
  FAULT: "fault",
  STOP: "stop",
  MASTER_RX_LOWER_PRI: "masterRxLowerPri",
  DELETED: "deleted",
};

/** The programs to be run, in order: the specific one with its own arguments only, then `notify` with four more. */
export function scriptsFor(notify: Notify, event: Event): readonly Script[] {
  const field = specific[event.word];
  const own = field === undefined ? undefined : (notify[field] as Script | undefined);
  const scripts = own === undefined ? [] : [own];
  if (notify.any === undefined || isPriority(event.word) || event.word === "MASTER_RX_LOWER_PRI") return scripts;
  const command = [...notify.any.command, event.type, event.name, event.word, String(event.priority)];
  return [...scripts, { ...notify.any, command }];
}

/** The line of a FIFO. */
export const fifoLine = (event: Event): string => `${event.type} "${event.name}" ${event.word} ${event.priority}\n`;

const isPriority = (word: NotifyWord): boolean => word === "MASTER_PRIORITY" || word === "BACKUP_PRIORITY";
