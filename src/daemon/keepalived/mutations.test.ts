import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { mutate, numbers } from "../../config/corpus.ts";
import { formatConfig } from "../../config/format.ts";
import { lintConfig } from "../../config/lint.ts";
import { parseText } from "../../config/parse.ts";
import { samples } from "../../config/reference.ts";
import { settled } from "../../config/settled.ts";
import { showConfig } from "../../config/show.ts";
import { explainProblem } from "../../config/source.ts";
import { fromConfig as healthFrom } from "../health/from-config.ts";
import { fromConfig as vrrpFrom } from "../vrrp/from-config.ts";
import { undoneWords } from "./undone.ts";

/** Files with slips of the pen all the way: read, judged, shown, and made into what the processes get. */

const CASES = new URL("../../../cases/keepalived/", import.meta.url).pathname;
const FILES = process.env.LVSD_FULL === "1" ? 100_000 : 400;
/** Any one file, ms of processor time; the usual is a fiftieth. */
const LONGEST = 2000;

test(`${FILES} mutated files are told of, and nothing breaks`, () => {
  const paths = readdirSync(CASES).filter((name) => name.endsWith(".conf"));
  const texts = [...paths.map((name) => CASES + name), ...samples()].map((path) => readFileSync(path, "utf8"));
  const random = numbers(99);
  let [refused, worst] = [0, 0];
  for (let n = 0; n < FILES; n++) {
    const once = mutate(texts[Math.floor(random() * texts.length)]!, random);
    const text = n % 3 === 0 ? mutate(once, random) : once;
    const start = process.cpuUsage();
    const result = parseText(text, { configId: "left" });
    const said = result.problems.map(explainProblem);
    lintConfig(result);
    showConfig(result.config);
    undoneWords(result);
    const config = settled(result.config);
    healthFrom(config);
    vrrpFrom(config);
    if (n % 10 === 0) formatConfig(text);
    if (result.verdict === "refuse") refused++;
    const { user, system } = process.cpuUsage(start);
    worst = Math.max(worst, (user + system) / 1000);
    if (said.length === 0 && result.verdict === "refuse") throw new Error(`refused without a word:\n${text}`);
  }
  console.info(`${FILES} mutated files: ${refused} refused, the longest took ${worst.toFixed(0)} ms`);
  expect(refused).toBeGreaterThan(FILES / 2);
  expect(worst).toBeLessThan(LONGEST);
}, 3_600_000);
