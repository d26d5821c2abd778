import type { Operation } from "../../../director/director.ts";
import type { Result } from "../../../health/checker.ts";
import type { Check } from "../../../health/config.ts";
import type { Mail } from "../../../health/mail.ts";
import type { World } from "../runner.ts";

/** A world whose time is told to pass and whose servers answer as they are told. */
export class FakeWorld implements World {
  time = 0;
  readonly said: string[] = [];
  readonly logged: string[] = [];
  readonly tries: { at: number; port: number }[] = [];
  /** By address, or by address and port: what a try comes to; undefined: it never ends. Nothing: it is good. */
  readonly results = new Map<string, Result | undefined>();
  #waiting: { at: number; wake: () => void }[] = [];
  pending = 0;

  now = () => this.time;
  random = () => 0.5;
  wheel = {
    at: (at: number, wake: () => void) => {
      const entry = { at, wake };
      this.#waiting.push(entry);
      return () => {
        this.#waiting = this.#waiting.filter((other) => other !== entry);
      };
    },
  };

  probe(c: Check, _: number, done: (result: Result) => void) {
    const to = "to" in c.probe ? c.probe.to : undefined;
    this.tries.push({ at: this.time, port: to?.port ?? 0 });
    const key = [`${to?.ip} ${to?.port}`, `${to?.ip}`].find((word) => this.results.has(word));
    const result = key === undefined ? ({ type: "ok" } as const) : this.results.get(key);
    this.pending++;
    const over = () => void this.pending--;
    if (result === undefined) {
      this.#open.set(`${to?.ip}`, done);
      return over;
    }
    const cancel = this.wheel.at(this.time, () => {
      over();
      done(result);
    });
    return () => {
      over();
      cancel();
    };
  }

  apply(operations: readonly Operation[]): void {
    for (const o of operations)
      this.said.push("dest" in o ? `${o.op} ${o.dest.addr}${"weight" in o.dest ? ` ${o.dest.weight}` : ""}` : o.op);
  }
  run = ({ command }: { command: readonly string[] }) => void this.said.push(`run ${command[0]}`);
  tell = () => {};
  readonly mails: Mail[] = [];
  mail = (mail: Mail) => void this.mails.push(mail);
  log = (text: string) => void this.logged.push(text);

  readonly #open = new Map<string, (result: Result) => void>();
  /** What a try that did not end comes to after all. */
  finish(address: string, result: Result): void {
    this.pending--;
    this.#open.get(address)?.(result);
  }

  pass(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const next = this.#waiting.filter((w) => w.at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#waiting = this.#waiting.filter((w) => w !== next);
      this.time = Math.max(this.time, next.at);
      next.wake();
    }
    this.time = end;
  }

  take(): string[] {
    return this.said.splice(0);
  }
}
