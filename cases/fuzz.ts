import { parseArgs } from "node:util";
import { type Fuzzed, fuzz, shrunk } from "./fuzzing.ts";
import { printScript } from "./print.ts";
import { XdpPlane } from "./xdp-plane.ts";

/** `make fuzz`: the model and the compiled data path under the same random scripts. Exit code 1 when they part. */

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    packets: { type: "string", default: "1000000000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
    help: { type: "boolean", default: false },
  },
});

if (values.help) {
  console.log("fuzz [--seconds N] [--packets N] [--seed N]");
  console.log("Random configurations, packets, edits and steps of time; ends at the first disagreement. A seed repeats a run.");
} else {
  process.exitCode = run(Number(values.seed), Number(values.seconds) * 1000, Number(values.packets));
}

function run(seed: number, ms: number, packets: number): number {
  const xdp = new XdpPlane(64);
  try {
    console.log(`fuzz: seed ${seed}`);
    let toldAt = performance.now();
    const result = fuzz(xdp, seed, { ms, packets }, (fuzzed) => {
      if (performance.now() - toldAt < 10_000) return;
      toldAt = performance.now();
      console.log(text(fuzzed));
    });
    console.log(`${text(result)}, ${result.failure ? "a disagreement" : "no disagreement"}`);
    if (result.failure === undefined) return 0;
    const { script, disagreement } = shrunk(xdp, result.failure);
    console.log(printScript(script, disagreement, result.failure.seed));
    return 1;
  } finally {
    xdp.close();
  }
}

function text({ packets, scripts, passing }: Fuzzed): string {
  return `fuzz: ${packets} packets in ${scripts} scripts${passing > 0 ? `, ${passing} disagreements that did not come again` : ""}`;
}
