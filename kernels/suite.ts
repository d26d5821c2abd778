import { appendFileSync } from "node:fs";
import { release } from "node:os";
import { type Suite, startTests, type Task, type Test, type VitestRunner } from "@vitest/runner";
import { objectPath } from "../src/director/xdp/loader.ts";
import { explain } from "../src/fault.ts";
import { BpfObject } from "../src/platform/bpf-object.ts";
import { raiseMemlock } from "../src/platform/process.ts";
import type { Event } from "./report.ts";

/** Runs on the kernel in question: its verifier reads every program, then the tests below run. Argument: where events go. */

const OBJECTS = ["lvs.bpf.o", "lvs_tc.bpf.o", "realserver.bpf.o"];
const LOG_LINES = 30;
/** A machine without hardware support is 20 to 50 times slower. */
const TEST_TIMEOUT = 600_000; // ms

/** The model is the same on every kernel. */
const ofKernel = /^(?!model: )/;

const files: Readonly<Record<string, () => Promise<unknown>>> = {
  "packet cases": () => import("../cases/cases.test.ts"),
  "malformed packets": () => import("../cases/malformed.test.ts"),
  "real server's program": () => import("../src/realserver/program.root.test.ts"),
};

const [to = "/dev/stdout"] = process.argv.slice(2);
const say = (event: Event): void => appendFileSync(to, `${JSON.stringify(event)}\n`);

const runner: VitestRunner = {
  config: {
    ...{ root: "/", setupFiles: [], name: undefined, passWithNoTests: false, testNamePattern: ofKernel, allowOnly: false },
    ...{ sequence: { seed: 1, hooks: "stack", setupFiles: "list" }, chaiConfig: undefined, maxConcurrency: 1 },
    ...{ testTimeout: TEST_TIMEOUT, hookTimeout: TEST_TIMEOUT, retry: 0, includeTaskLocation: false },
    ...{ tags: [], tagsFilter: undefined, strictTags: false },
  },
  importFile: (name) => files[name]?.(),
  onCollected(collected) {
    const skipped = collected.flatMap(testsOf).filter((test) => test.mode === "skip" && ofKernel.test(nameOf(test)));
    for (const test of skipped) say({ test: nameOf(test), outcome: "skipped" });
  },
  onAfterRunTask(test) {
    if (test.result?.state === "pass") say({ test: nameOf(test), outcome: "passed" });
    else if (test.result?.state === "fail") say({ test: nameOf(test), outcome: "failed", words: wordsOf(test) });
  },
};

const testsOf = (task: Task): Test[] => (task.type === "suite" ? task.tasks.flatMap(testsOf) : [task]);
const suitesOf = (task: Task): Suite[] => (task.type === "suite" ? [task, ...task.tasks.flatMap(suitesOf)] : []);
const nameOf = (task: Task): string => (task.suite ? `${nameOf(task.suite)}: ` : "") + task.name;
const wordsOf = (task: Task): string => (task.result?.errors ?? []).map(({ message }) => message).join("; ");

/** Beside what its tests say: a file that cannot be imported, a hook that fails. */
async function runFile(name: string): Promise<void> {
  for (const suite of (await startTests([name], runner)).flatMap(suitesOf))
    if (suite.result?.errors?.length) say({ test: nameOf(suite), outcome: "failed", words: wordsOf(suite) });
}

function load(object: string): Event {
  const opened = BpfObject.open(objectPath(object), { logLines: LOG_LINES });
  try {
    opened.load();
    return { object };
  } catch (error) {
    return { object, fault: explain(error) };
  } finally {
    opened.close();
  }
}

say({ kernel: release() });
raiseMemlock();
for (const object of OBJECTS) say(load(object));
/** One file after the other: each may take this thread to a network namespace of its own. */
for (const name of Object.keys(files)) await runFile(name);
say({ end: true });
process.exit();
