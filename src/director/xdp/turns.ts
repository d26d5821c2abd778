import type { Turn } from "../../sched/index.ts";
import * as abi from "./abi.gen.ts";
import type { DataPath } from "./loader.ts";
import { u32 } from "./memory.ts";

/** Where a service's round stands (struct service_state): dests are named by id + 1, the list's head by 0. */
export function readTurn(path: DataPath, serviceId: number, scheduler: string): Turn {
  const { view } = path.memory.service_states;
  const at = path.memory.service_states.at(serviceId) + abi.serviceState.cursor;
  const [low, high] = [u32(view, at), u32(view, at + 4)];
  if (scheduler === "wrr") return { last: destOf(high), level: low | 0 };
  return { last: destOf(low), level: 0 };
}

const destOf = (cursor: number): number | undefined => (cursor === 0 ? undefined : cursor - 1);
