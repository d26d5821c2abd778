import { parseText } from "../../../config/parse.ts";
import { fromConfig } from "../from-config.ts";
import { startProbe, type TriedProbe } from "../probe.ts";

/** One try of every check of a file, at once: prints their results, in order, as JSON. For tests in a network namespace. */
export async function main([text = ""]: readonly string[]): Promise<void> {
  const { health, notes } = fromConfig(parseText(text).config);
  const checks = health.services.flatMap(({ servers }) => servers.flatMap((server) => server.checks));
  const results = await Promise.all(
    checks.map(({ probe }) => new Promise((resolve) => startProbe(probe as TriedProbe, 0, health.tls, resolve))),
  );
  process.stdout.write(JSON.stringify({ results, notes }));
  process.exit();
}
