import type { PortOf } from "../../config/convert.ts";
import type { Files } from "../../config/lines.ts";
import type { LintFacts } from "../../config/lint.ts";
import type { ParseResult } from "../../config/parse.ts";
import type { Facts } from "../../config/table.ts";

/** What `lvsctl config` wants to know of this machine; the other commands ask lvsd, this one needs none. */
export interface ConfigMachine {
  readonly files: Files;
  /** What `@ID` lines are compared with. */
  configId(): string;
  /** What the file is held against: interfaces, users, scripts. */
  facts(): Facts;
  lintFacts(): LintFacts;
  readonly portOf: PortOf;
  /** Words of the file that lvsd reads and does not carry out, one text each with its place. */
  undone(result: ParseResult): readonly string[];
  /** In one step: the old text or the new one, never half. */
  write(path: string, text: string): void;
}

/** keepalived's own place. */
export const DEFAULT_FILE = "/etc/keepalived/keepalived.conf";
