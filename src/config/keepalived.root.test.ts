import { appendFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testExitCode } from "./consequence.ts";
import { convertLdirectord } from "./convert.ts";
import { fileOf, keywordRows, mutate, numbers } from "./corpus.ts";
import { codeDifferences, differences } from "./differences.ts";
import { parseLdirectord } from "./ldirectord.ts";
import type { Files } from "./lines.ts";
import { manualBlocks, manualRows } from "./manual.ts";
import { messagesPage, plainMessages } from "./messages.ts";
import { type ParseOptions, parseConfig, parseText } from "./parse.ts";
import { expandBraces } from "./paths.ts";
import { type Answer, CONFIG_ID, machineFacts, missing, Reference, samples } from "./reference.ts";
import { describe as line } from "./source.ts";
import { fileWith, typos } from "./typos.ts";

/** Our verdict and our exit code are those of `keepalived -t` (Debian 12, 2.2.7), except for the wanted differences. */

const CASES = new URL("../../cases/keepalived/", import.meta.url).pathname;
const VERDICTS = join(CASES, "verdicts.txt");
const why = missing();
/** Share of the keyword rows (one in …) and number of mutated files; LVSD_FULL=1 tries all rows and many files. */
const FULL = process.env.LVSD_FULL === "1";
const EVERY = FULL ? 1 : Number(process.env.EVERY ?? 24);
const MUTATIONS = FULL ? 3000 : 300;

if (process.env.CI !== undefined)
  test("the reference keepalived is there in CI", () => {
    expect(why).toBeUndefined();
  });

/** Reads for the tests: a name, `*` in the last part, and braces. */
const disk: Files = {
  read: (path) => (existsSync(path) && statSync(path).isFile() ? readFileSync(path, "utf8") : undefined),
  glob: (pattern) =>
    expandBraces(pattern).flatMap((path) => {
      if (!path.includes("*")) return existsSync(path) ? [path] : [];
      const [folder, name] = [path.slice(0, path.lastIndexOf("/")), path.slice(path.lastIndexOf("/") + 1)];
      const wanted = new RegExp(`^${name.replaceAll(".", "\\.").replaceAll("*", ".*")}$`);
      return existsSync(folder)
        ? readdirSync(folder)
            .filter((n) => wanted.test(n))
            .sort()
            .map((n) => join(folder, n))
        : [];
    }),
};

/** Exit code of a run that took longer than its 5 seconds. */
const KILLED = 137;

interface Tally {
  compared: number;
  crashes: number;
  wanted: number;
  readonly wrong: string[];
}

/** Compares one file; keepalived's own crashes and hangs say nothing. */
function compare(tally: Tally, name: string, text: string, answer: Answer, ours: ReturnType<typeof parseText>): void {
  tally.compared++;
  if (answer.code > 100) {
    tally.crashes++;
    return;
  }
  const theirs = answer.code === 0 ? "accept" : "refuse";
  if (ours.verdict === theirs) {
    const code = testExitCode(ours.problems);
    if (code === answer.code) return;
    if (codeDifferences.some((d) => d.matches(text, answer))) tally.wanted++;
    else tally.wrong.push(`${name}\n  keepalived ${answer.code}: ${answer.messages.slice(0, 300)}\n  our code: ${code}`);
    return;
  }
  const wanted = differences.find((d) => d.ours === ours.verdict && d.matches(text, answer));
  if (wanted !== undefined) {
    tally.wanted++;
    return;
  }
  tally.wrong.push(
    `${name}\n  keepalived ${answer.code}: ${answer.messages.slice(0, 300)}\n  ours: ${ours.problems.map(line).join("; ").slice(0, 300)}`,
  );
}

const tally = (): Tally => ({ compared: 0, crashes: 0, wanted: 0, wrong: [] });

function report(what: string, t: Tally): void {
  console.info(
    `${what}: ${t.compared} compared, ${t.wrong.length} wrong, ${t.wanted} wanted differences, ${t.crashes} crashes of keepalived`,
  );
  if (process.env.LVSD_REPORT !== undefined) appendFileSync(process.env.LVSD_REPORT, `${t.wrong.join("\n\n")}\n`);
  expect(t.wrong.slice(0, 20).join("\n")).toBe("");
}

describe.skipIf(why !== undefined)(
  `verdicts of keepalived -t (${why ?? "2.2.7"})`,
  { timeout: FULL ? 3_600_000 : 900_000 },
  () => {
    let reference: Reference;
    let options: ParseOptions;

    beforeAll(() => {
      reference = new Reference();
      options = { facts: machineFacts(), configId: CONFIG_ID, dialect: "2.2.7" };
    });
    afterAll(() => reference?.close());

    const examples = (): string[] => [
      ...readdirSync(CASES)
        .filter((n) => n.endsWith(".conf"))
        .map((n) => join(CASES, n)),
      ...samples(),
    ];

    test("example files and the package's samples are judged as keepalived does", async () => {
      const t = tally();
      const paths = examples();
      const answers = await reference.judgeFiles(paths);
      paths.forEach((path, i) => {
        compare(t, path, readFileSync(path, "utf8"), answers[i]!, parseConfig(path, disk, options));
      });
      report("examples", t);
      expect(t.compared).toBeGreaterThan(10);
    });

    test("a payload that ends in the byte ff is a wanted difference, any other is judged as keepalived does", async () => {
      const t = tally();
      const rows = ["ff", "0102FF", "ff00", "0ff0", "fe", "0f f0", "f", "fg", "0g"].map((hex) => `UDP_CHECK | payload ${hex}`);
      const answers = await reference.judge(rows.map(fileOf));
      rows.forEach((row, i) => {
        compare(t, row, fileOf(row), answers[i]!, parseText(fileOf(row), options));
      });
      report("payloads", t);
      expect(t.wanted).toBe(2);
    });

    test("the examples of the manual page are judged as keepalived does", async () => {
      const t = tally();
      const [blocks, rows] = [manualBlocks(), manualRows()];
      const texts = [...blocks, ...rows.map(fileOf)];
      const answers = await reference.judge(texts);
      texts.forEach((text, i) => {
        compare(t, i < blocks.length ? text : rows[i - blocks.length]!, text, answers[i]!, parseText(text, options));
      });
      console.info(
        `manual: ${blocks.length} blocks, ${rows.length} lines, ${answers.filter(({ code }) => code === 0).length} accepted`,
      );
      report("manual", t);
      expect(rows.length).toBeGreaterThan(100);
    });

    test("what an ldirectord.cf is converted to is taken by keepalived", async () => {
      const kinds = ["gate", "masq", "ipip"].flatMap((method) =>
        [
          "checktype=connect",
          "checktype=ping",
          "service=http",
          "service=https",
          "service=smtp",
          "service=imap",
          "checktype=off",
        ].map(
          (check) =>
            `virtual=192.0.2.1:80\n    real=10.0.0.1->10.0.0.3:80 ${method} 2\n    ${check}\n    receive="a\\.b"\n    failurecount=2\n`,
        ),
      );
      const marks = ["virtual=7\n    real=10.0.0.1 gate\n    checktype=ping\n    fallback=127.0.0.1 gate\n"];
      const six = ["virtual6=[2001:db8::1]:80\n    real6=[2001:db8::2]:80 masq\n    quiescent=yes\n    fallback6=[::1]:80\n"];
      const texts = [...kinds, ...marks, ...six].map((text) => convertLdirectord(parseLdirectord(text).config).text);
      const answers = await reference.judge(texts);
      expect(texts.filter((_, i) => answers[i]!.code !== 0).map((text, i) => `${text}\n${answers[i]!.messages}`)).toEqual([]);
    });

    test("the page of messages has what keepalived says", async () => {
      const path = new URL("../../docs/messages.md", import.meta.url).pathname;
      const answers = await reference.judge(typos.map(fileWith));
      const said = new Map(typos.map((typo, i) => [typo, plainMessages(answers[i]!.messages)]));
      const page = messagesPage((typo) => said.get(typo)!);
      if (process.env.UPDATE_DOCS === "1") writeFileSync(path, page);
      expect(readFileSync(path, "utf8")).toBe(page);
      expect(typos.filter((_, i) => answers[i]!.code === 0)).toEqual([]);
    });

    test("collected lines are judged as keepalived does", async () => {
      const t = tally();
      const old = readFileSync(VERDICTS, "utf8")
        .trimEnd()
        .split("\n")
        .map((row) => row.split("\t") as [string, string]);
      const rows = old.map(([, row]) => row);
      const answers = await reference.judge(rows.map(fileOf));
      rows.forEach((row, i) => {
        compare(t, row, fileOf(row), answers[i]!, parseText(fileOf(row), options));
      });
      report("lines", t);
      // The recorded verdicts let the unit test check the same without keepalived.
      // A run that was killed for being late keeps the verdict it had.
      const verdictOf = (code: number, before: string): string =>
        code === KILLED ? before : code > 100 ? "crash" : code === 0 ? "accept" : "refuse";
      const recorded = old.map(([before, row], i) => `${verdictOf(answers[i]!.code, before)}\t${row}\n`).join("");
      if (process.env.UPDATE_CASES === "1") writeFileSync(VERDICTS, recorded);
      expect(readFileSync(VERDICTS, "utf8")).toBe(recorded);
    });

    test("every keyword with good and bad values is judged as keepalived does", async () => {
      const t = tally();
      const rows = keywordRows().filter((_, i) => i % EVERY === 0);
      const answers = await reference.judge(rows.map(fileOf));
      rows.forEach((row, i) => {
        compare(t, row, fileOf(row), answers[i]!, parseText(fileOf(row), options));
      });
      report("keywords", t);
    });

    test("mutated files are judged as keepalived does", async () => {
      const t = tally();
      const random = numbers(7);
      const texts = examples()
        .filter((path) => !path.includes("main.conf"))
        .map((path) => readFileSync(path, "utf8"));
      const mutated = Array.from({ length: MUTATIONS }, () => mutate(texts[Math.floor(random() * texts.length)]!, random));
      const answers = await reference.judge(mutated);
      mutated.forEach((text, i) => {
        compare(t, text, text, answers[i]!, parseText(text, options));
      });
      report("mutations", t);
    });
  },
);
