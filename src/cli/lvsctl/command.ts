import type { Command } from "commander";
import type pc from "picocolors";
import type { Control } from "./control.ts";

/** Where a command writes. */
export interface Io {
  /** A promise when the reader is slow. */
  out(text: string): void | Promise<void>;
  err(text: string): void;
  /** Standard output is a terminal: colours, and `top` may go on. */
  readonly terminal: boolean;
  /** Lines of the terminal. */
  rows(): number;
  /** False when the user wants no more. */
  pause(ms: number): Promise<boolean>;
}

export interface Context {
  readonly control: Control;
  readonly io: Io;
  readonly colors: ReturnType<typeof pc.createColors>;
}

/** All has been said; what is left is the exit code, that of a refusal if nothing else is said. */
export class Findings extends Error {
  readonly exit: number;

  constructor(exit = 1) {
    super(`exit ${exit}`);
    this.exit = exit;
  }
}

/** Adds one command, or a group of them, to lvsctl. */
export type AddCommand = (program: Command, context: Context) => void;

/** A value for programs. */
export const jsonText = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

export const asJson = ["--json", "for programs"] as const;
