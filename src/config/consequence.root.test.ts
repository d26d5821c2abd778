import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isFatal, testExitCode } from "./consequence.ts";
import { fileOf, keywordRows } from "./corpus.ts";
import { type ParseOptions, parseText } from "./parse.ts";
import { type Answer, CONFIG_ID, machineFacts, missing, Reference } from "./reference.ts";

/** The exit codes of `-t` and which files are not started with, beside Debian's keepalived. */

const why = missing();
/** LVSD_FULL=1 tries every keyword. */
const EVERY = process.env.LVSD_FULL === "1" ? 1 : 5;

describe.skipIf(why !== undefined)(`exit codes of keepalived (${why ?? "2.2.7"})`, { timeout: 300_000 }, () => {
  let reference: Reference;
  let options: ParseOptions;
  beforeAll(() => {
    reference = new Reference();
    options = { facts: machineFacts(), configId: CONFIG_ID, dialect: "2.2.7" };
  });
  afterAll(() => reference?.close());
  const ours = (row: string) => parseText(fileOf(row), options).problems;

  test("-t of a keyword without its value ends with 2 or 5, and of a word that is not known with 5, as there", async () => {
    const rows = keywordRows().filter((row, i) => (/ \| \S+ ?$/.test(row) || / \| \S+x 1$/.test(row)) && i % EVERY === 0);
    const answers = await reference.judge(rows.map(fileOf));
    const codes = rows.map((row, i) => ({ row, theirs: answers[i]!.code, ours: testExitCode(ours(row)) }));
    const judged = codes.filter(({ theirs }) => theirs < 100);
    expect(judged.length).toBeGreaterThan(100);
    expect(new Set(judged.map(({ theirs }) => theirs)).size).toBeGreaterThan(2);
    expect(judged.filter((code) => code.theirs !== code.ours)).toEqual([]);
  });

  test("a file is started with when keepalived starts with it", async () => {
    const rows = [
      ...["vi | priority 300", "vi | advert_int 300", "vi | nosuchword 1", "vi | state FOO", "vi | preempt_delay x"],
      ...["vi | track_script { nobody }", "vi | virtual_ipaddress { nonsense }", "vi | }", "vi | garp_interval 1"],
      ...["vi | track_interface { nosuch0 }", "vi | interface nosuch0", "vi | priority", "vi | virtual_router_id 256"],
      ...["root | lvs_id X", "sync | group { NOBODY }", "global | vrrp_version", "global | router_id"],
      `root | ${VI} ;; ${VI}`,
      `root | ${VI} ;; ${VI.replace("VI", "VJ")}`,
      `root | ${VI} ;; ${VI.replace("VI", "VJ").replace("virtual_router_id 5", "")}`,
    ];
    const answers = await reference.start(rows.map(fileOf), ["-P"]);
    const fates = rows.map((row, i) => [row, fateOf(answers[i]!), isFatal(ours(row)) ? "refused" : "runs"]);
    expect(fates.filter(([, theirs, mine]) => theirs !== mine)).toEqual([]);
    expect(new Set(fates.map(([, theirs]) => theirs))).toEqual(new Set(["runs", "refused"]));
  });
});

const VI = "vrrp_instance VI { ;; interface eth0 ;; virtual_router_id 5 ;; virtual_ipaddress { 10.0.0.1/24 } ;; }";

/** It had to be told to stop, or it ended with "permanent error CONFIG". */
const fateOf = ({ code }: Answer): string => (code === 124 ? "runs" : code === 2 ? "refused" : `ended with ${code}`);
