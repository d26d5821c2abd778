import { expect, test } from "vitest";
import type { Check } from "./config.ts";
import { check, script, server, service, to } from "./testing.ts";
import { wordsOf } from "./words.ts";

const place = "[10.0.0.11]:tcp:80";
const misc: Check = {
  ...check,
  type: "MISC_CHECK",
  probe: { type: "MISC_CHECK", script: script("/bin/c"), timeout: 1, dynamic: false, weight: 1 },
};
const http: Check = { ...check, type: "HTTP_GET", probe: { type: "HTTP_GET", to, version: "1.0", pages: [], sni: [] } };
const up = { type: "up", isFirst: false } as const;
const down = (retries: number, reason = "refused") => ({ type: "down", isFirst: false, reason, retries }) as const;

const cases: [check: Check, effect: Parameters<typeof wordsOf>[3], words: string | undefined][] = [
  [check, up, `TCP connection to ${place} success.`],
  [check, down(2), `TCP_CHECK on service ${place} failed after 2 retries (refused).`],
  [check, down(0), `TCP_CHECK on service ${place} failed (refused).`],
  [http, up, `Remote Web server ${place} succeed on service.`],
  [http, down(1), `HTTP_CHECK on service ${place} failed after 1 retries (refused).`],
  [misc, up, `Misc check for [${place} VS [192.0.2.1]:tcp:80] by [/bin/c] succeeded.`],
  [
    misc,
    down(1, "exited with status 1"),
    `Misc check for [${place} VS [192.0.2.1]:tcp:80] by [/bin/c] failed after 1 retry (exited with status 1).`,
  ],
  [
    misc,
    down(0, "due to signal SIGKILL"),
    `Misc check for [${place} VS [192.0.2.1]:tcp:80] by [/bin/c] failed with retry disabled (due to signal SIGKILL).`,
  ],
  [check, { type: "forgiven", reason: "timeout", retriesLeft: 1 }, undefined],
  [
    { ...check, logAllFailures: true },
    { type: "forgiven", reason: "timeout", retriesLeft: 1 },
    `TCP_CHECK on service ${place}: timeout`,
  ],
  [check, { type: "unknown", reason: "EMFILE" }, `TCP_CHECK on service ${place}: EMFILE. Rescheduling.`],
];
for (const [c, effect, words] of cases) {
  test(`${effect.type} of ${c.type}: ${words}`, () => expect(wordsOf(service(), server(11), c, effect)).toBe(words));
}
