import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseCase } from "./case.ts";
import { ModelSide } from "./model.ts";
import { compare, parseTranscript } from "./transcript.ts";

/** Where the model is not the kernel, and why. A case that has become equal must leave this list. */
const differences: Readonly<Record<string, string>> = {
  "1-services/deleted-last-service":
    "the data path stays attached when the last service of a family goes: conns of deleted dests are dropped",
  "2-dests/clear-keeps-conns": "as deleted-last-service",
  "2-dests/resurrected-service": "as deleted-last-service",
  "2-dests/edit-thresholds": "the recording kernel is a 6.1; the rules are those of 6.12 (spec 2.4)",
  "2-dests/method-change": "the kernel's route cache is shared by all conns of a dest, which is not imitated (spec 2.3)",
  "4-conns/ftp-passive": "no FTP helper",
  "4-conns/sip-persistence": "no persistence engines",
  "5-packets/fragments-dr": "fragments are followed, not put together: one that overtakes its first is not known",
  "5-packets/fragments-ipv6": "fragments are followed, not put together: they keep their id",
  "5-packets/fragments-tunnel": "fragments are followed, not put together: each has an outer header of its own",
  "6-statistics/fragments": "fragments are followed, not put together: each counts",
  "5-packets/icmp-nat-ipv6": "the kernel drops ICMPv6 errors from real servers by a fault of its own",
  "5-packets/nat-ipv6-extension-header": "the kernel looks for TCP flags where an extension header stands",
  "5-packets/icmp-tunnel-frag-needed":
    "path MTUs are the world's, reports do not change them; the client hears the new one at once",
  "5-packets/icmp-unreachable-tcp-dr-from-rs": "a real server's own errors about a routed conn are not counted",
  "5-packets/local-real-server": "answers of the director's own sockets are not seen",
  "5-packets/mtu-df": "nothing is fragmented: what is too long is refused, DF or not",
  "5-packets/mtu-tunnel": "nothing is fragmented: what is too long is refused, DF or not",
  "6-statistics/dr-and-tunnel": "nothing is fragmented: what is too long is refused, DF or not",
  "5-packets/mtu-nat-reply": "the way to the client is not measured",
  "7-settings/run-estimation": "counters are shown as they are, not as of the last estimation",
  "8-sync/backup-refuses": "no connection synchronisation in the data path",
  "8-sync/backup-takes": "no connection synchronisation in the data path",
  "8-sync/backup-version-0": "no connection synchronisation in the data path",
  "8-sync/daemons": "no connection synchronisation in the data path",
  "8-sync/master-persistent": "no connection synchronisation in the data path",
  "8-sync/master-tcp": "no connection synchronisation in the data path",
  "8-sync/master-udp": "no connection synchronisation in the data path",
  "8-sync/master-version-0": "no connection synchronisation in the data path",
};

const CASES = join(import.meta.dirname, "cases");
const chapters = readdirSync(CASES).filter((chapter) => !chapter.startsWith("9-")); // ipvsadm is not the model's

for (const chapter of chapters) {
  describe(`the model answers like the kernel: ${chapter}`, () => {
    for (const file of readdirSync(join(CASES, chapter)).filter((name) => name.endsWith(".case"))) {
      const name = `${chapter}/${file.slice(0, -".case".length)}`;
      const reason = differences[name];
      test(reason === undefined ? name : `${name} differs: ${reason}`, async () => {
        const [outcome] = await new ModelSide().run([parseCase(name, read(`${name}.case`))]);
        if (outcome === undefined || !("transcript" in outcome)) throw new Error(outcome?.failure);
        const mismatches = compare(parseTranscript(name, read(`${name}.kernel.txt`)), outcome.transcript);
        if (reason === undefined) expect(mismatches).toEqual([]);
        else expect(mismatches).not.toEqual([]);
      }, 60_000);
    }
  });
}

test("every difference is of a case that exists", () => {
  for (const name of Object.keys(differences)) expect(() => read(`${name}.case`)).not.toThrow();
});

function read(name: string): string {
  return readFileSync(join(CASES, name), "utf8");
}
