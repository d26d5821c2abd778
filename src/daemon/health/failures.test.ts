import { expect, test } from "vitest";
import type { Service as DirectorService } from "../../director/director.ts";
import { service, spec } from "../../health/testing.ts";
import { ip } from "../../net/ip.ts";
import { failureWatch } from "./failures.ts";

test("a director that counts failures makes a server suspect; one is not asked for services without passive_check", () => {
  let resets = 7;
  let asked = 0;
  const director = {
    service(key: unknown) {
      asked++;
      expect(key).toEqual(spec.key);
      return { dests: [{ addr: ip("10.0.0.11"), port: 80, failures: { resets, unanswered: 0 } }] } as unknown as DirectorService;
    },
  };
  const suspectsOf = failureWatch(director);
  expect([suspectsOf([service()]), asked]).toEqual([[], 0]);
  expect(suspectsOf([service({ passive: 1 })])).toEqual([]);
  resets = 8;
  expect(suspectsOf([service({ passive: 1 })])).toEqual([{ service: "[192.0.2.1]:tcp:80", server: "[10.0.0.11]:tcp:80" }]);
  expect(suspectsOf([service({ passive: 1 })])).toEqual([]);
});

test("a service that the director has not is no trouble", () => {
  expect(failureWatch({ service: () => undefined })([service({ passive: 1 })])).toEqual([]);
});
