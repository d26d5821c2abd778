/**
 * Reads a command line as popt(3) 1.19 does: bundled short options, `-p30`, `-p=30`, `--opt=val`, `--opt val`, options and
 * other arguments in any order, `--` before arguments that only look like options. Its messages are popt's own.
 */

export type Arity = "none" | "required" | "optional";

export interface PoptOption {
  /** Without the dashes. */
  readonly long?: string;
  readonly short?: string;
  readonly arity: Arity;
}

/** An option as it was met: `text` is the argument it stood in (`-Ln`), which is how popt names it in messages. */
export interface Met<T> {
  readonly option: T;
  readonly value: string | undefined;
  readonly text: string;
}

/** What stopped the reading: popt prints `-q: unknown option`. */
export interface Stopped {
  readonly problem: string;
}

export interface OptionIndex<T extends PoptOption> {
  readonly long: ReadonlyMap<string, T>;
  readonly short: ReadonlyMap<string, T>;
}

export function indexOptions<T extends PoptOption>(options: readonly T[]): OptionIndex<T> {
  const named = (name: (option: T) => string | undefined) =>
    new Map(options.flatMap((option): [string, T][] => (name(option) === undefined ? [] : [[name(option)!, option]])));
  return { long: named((o) => o.long), short: named((o) => o.short) };
}

export class Popt<T extends PoptOption> {
  /** Arguments that are not options, in order; whole when `next` has returned undefined. */
  readonly rest: string[] = [];
  readonly #args: readonly string[];
  readonly #index: OptionIndex<T>;
  #at = 0;
  /** Unread letters of a bundle, and the argument they stand in. */
  #letters = "";
  #bundle = "";

  constructor(args: readonly string[], index: OptionIndex<T>) {
    this.#args = args;
    this.#index = index;
  }

  /** The next option, why there is none, or undefined at the end. */
  next(): Met<T> | Stopped | undefined {
    if (this.#letters !== "") return this.#short();
    while (this.#at < this.#args.length) {
      const text = this.#args[this.#at++]!;
      if (text === "--") {
        this.rest.push(...this.#args.slice(this.#at));
        this.#at = this.#args.length;
      } else if (text.startsWith("--")) {
        return this.#long(text);
      } else if (text.length > 1 && text.startsWith("-")) {
        this.#bundle = text;
        this.#letters = text.slice(1);
        return this.#short();
      } else {
        this.rest.push(text);
      }
    }
    return undefined;
  }

  #long(text: string): Met<T> | Stopped {
    const equals = text.indexOf("=");
    const option = this.#index.long.get(equals < 0 ? text.slice(2) : text.slice(2, equals));
    if (option === undefined) return { problem: `${text}: unknown option` };
    return this.#valued(option, equals < 0 ? undefined : text.slice(equals + 1), text);
  }

  #short(): Met<T> | Stopped {
    const option = this.#index.short.get(this.#letters[0]!);
    const after = this.#letters.slice(1);
    const text = this.#bundle;
    this.#letters = "";
    if (option === undefined) return { problem: `${text}: unknown option` };
    if (option.arity === "none" && !after.startsWith("=")) {
      this.#letters = after;
      return { option, value: undefined, text };
    }
    return this.#valued(option, after === "" ? undefined : after.replace(/^=/, ""), text);
  }

  /** @param attached the value that came in the same argument */
  #valued(option: T, attached: string | undefined, text: string): Met<T> | Stopped {
    if (option.arity === "none")
      return attached === undefined
        ? { option, value: undefined, text }
        : { problem: `${text}: option does not take an argument` };
    if (attached !== undefined) return { option, value: attached, text };
    const following = this.#args[this.#at];
    if (option.arity === "optional" && (following === undefined || following.startsWith("-")))
      return { option, value: undefined, text };
    if (following === undefined) return { problem: `${text}: missing argument` };
    this.#at++;
    return { option, value: following, text };
  }
}
