import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fileOf, mutate, numbers } from "./corpus.ts";
import { differences } from "./differences.ts";
import { readLines } from "./lines.ts";
import { parseText } from "./parse.ts";
import { explainProblem } from "./source.ts";
import { checksOf } from "./values.ts";

const CASES = new URL("../../cases/keepalived/", import.meta.url).pathname;
const read = (name: string): string => readFileSync(`${CASES}${name}`, "utf8");
/** Processor time, ms: the machine is shared. */
const timed = (run: () => void): number => {
  const start = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
};
const messages = (text: string): string[] =>
  parseText(text).problems.map((p) => `${p.origin.line}:${p.origin.column} ${p.message}`);

describe("a keepalived.conf becomes values", () => {
  test("an instance has its addresses, its password and where they were written", () => {
    const { config, problems } = parseText(read("two-routers.conf"));
    expect(problems).toEqual([]);
    const instance = config.vrrpInstance[0]!;
    expect(instance.header).toBe("VI_1");
    expect(instance.virtualRouterId).toBe(51);
    expect(instance.advertInt).toBe(1);
    expect(instance.authentication?.authPass).toBe("1111");
    expect(instance.virtualIpaddress.map((a) => a.value)).toEqual([
      { ip: "192.168.200.16", length: 32 },
      { ip: "192.168.200.17", length: 24, dev: "eth1", label: "eth1:1" },
      { ip: "192.168.200.18", length: 24, broadcast: "192.168.200.255", dev: "eth1", scope: "global" },
    ]);
    expect(instance.origins.priority).toEqual({ file: "keepalived.conf", line: 11, column: 5 });
    expect(instance.origins.nopreempt).toBeUndefined();
    expect(instance.nopreempt).toBe(false);
  });

  test("a virtual server has methods in our words, real servers and their checks", () => {
    const { config, problems } = parseText(read("web-farm.conf"));
    expect(problems).toEqual([]);
    const [web, dns, marked] = config.virtualServer;
    expect(web?.header).toEqual({ by: "group", group: "web" });
    expect(config.virtualServerGroup[0]?.entries.map((e) => e.value)).toEqual([
      { by: "address", ip: "192.0.2.1", last: "192.0.2.1", port: 80 },
      { by: "address", ip: "192.0.2.8", last: "192.0.2.15", port: 80 },
      { by: "address", ip: "192.0.2.20", last: "192.0.2.25", port: 80 },
      { by: "address", ip: "192.0.2.30", last: "192.0.2.40", port: 80 },
    ]);
    expect(web?.lbKind).toEqual({ method: "nat" });
    expect(dns?.lbKind).toEqual({ method: "tunnel", tunnel: { type: "gue", port: 6080, checksum: "nocsum" } });
    expect(marked?.persistenceTimeout).toBe(360);
    expect(checksOf(web!.realServer[0]!).map((c) => c.type)).toEqual(["HTTP_GET", "BFD_CHECK", "FILE_CHECK"]);
    expect(web?.realServer[1]?.miscCheck[0]?.miscPath).toEqual(["/nonexistent/check.sh", "10.0.0.22", "two words"]);
  });

  test("routes and rules keep what they were given", () => {
    const { config } = parseText(read("sync-group.conf"));
    const outside = config.vrrpInstance[0]!;
    expect(outside.virtualRoutes[0]?.value).toMatchObject({
      destination: "default",
      via: "198.51.100.254",
      dev: "eth0",
      family: "ipv4",
    });
    expect(outside.virtualRoutes[2]?.value).toMatchObject({ type: "blackhole", noTrack: true });
    expect(outside.virtualRules[1]?.value).toMatchObject({
      action: { type: "table", table: "main" },
      selectors: { fwmark: "0x5/0xff" },
    });
    expect(config.vrrpSyncGroup[0]?.group.map((g) => g.value)).toEqual([["outside"], ["inside"]]);
  });

  test("sequences and definitions make instances and real servers", () => {
    const { config, verdict } = parseText(read("generated.conf"));
    expect(verdict).toBe("accept");
    expect(config.vrrpInstance.map((i) => [i.header, i.priority])).toEqual([
      ["VI_1", 11],
      ["VI_2", 12],
      ["VI_3", 13],
      ["VI_11", 111],
      ["VI_13", 113],
      ["VI_15", 115],
    ]);
    expect(config.virtualServer[0]?.realServer.map((rs) => rs.header.port)).toEqual([80, 8080, 8020, 8021, 8022]);
  });
});

describe("what is wrong with a file", () => {
  test("all problems are told at once, each at its word", () => {
    expect(messages(read("mistakes.conf"))).toEqual([
      "3:5 unknown keyword 'lvs_id'",
      "7:13 'loadbalance' is not one of rr, wrr, lc, wlc, lblc, sh, mh, dh, fo, ovf, lblcr, sed, nq, twos",
      "8:13 'dr' is not one of NAT, DR, TUN, FNAT",
      "9:25 0 is outside 1..2678400",
      "10:5 unknown keyword 'nat_mask'",
      "11:12 0 is outside 1..4294967295",
      "12:17 'www.example.com' is not an IP address; names are never resolved",
      "14:13 'nb_get_retry' is deprecated",
      "23:23 300 is outside 1..255",
      "24:5 unknown keyword 'auth_pass' here, it belongs in authentication",
      "25:5 unknown keyword 'garp_interval' here, it belongs in garp_group",
      "28:19 auth_pass is cut to its first 8 characters, this one has 17",
      "21:1 vrrp_instance 'VI' has no virtual_ipaddress",
      "6:1 no protocol, UDP is used",
    ]);
  });

  test("a misspelt keyword is told with the nearest one and a caret", () => {
    const [problem] = parseText("global_defs {\n\trouter_di x\n}\n").problems;
    expect(explainProblem(problem!)).toBe(
      "keepalived.conf:2:2: error: unknown keyword 'router_di' (did you mean 'router_id'?)\n  \trouter_di x\n  \t^~~~~~~~~",
    );
  });

  test("a block that is never closed is told at its first line", () => {
    expect(messages("global_defs {\n router_id x\n")).toEqual(["1:1 the block 'global_defs' is never closed, a '}' is missing"]);
    expect(messages("}\n")).toEqual(["1:1 this '}' closes nothing"]);
  });

  test("FullNAT wants a pool that is there", () => {
    const text = "virtual_server 192.0.2.1 80 {\n protocol TCP\n lb_algo rr\n lb_kind FNAT\n real_server 10.0.0.1 8080 { }\n}\n";
    expect(messages(text)).toEqual(["4:2 FNAT needs laddr_group_name: addresses of the director to send from"]);
    expect(messages(text.replace("FNAT", "FNAT\n laddr_group_name out"))).toEqual(["5:2 there is no local_address_group 'out'"]);
    expect(parseText(text, { dialect: "2.2.7" }).problems[0]?.message).toBe("'FNAT' is not one of NAT, DR, TUN");
  });

  test("words of later versions are read, and unknown to the dialect of 2.2.7", () => {
    const text = "global_defs {\n json_version 2\n}\n";
    expect(parseText(text).config.globalDefs?.jsonVersion).toBe(2);
    expect(parseText(text, { dialect: "2.2.7" }).problems[0]?.message).toBe(
      "'json_version' is not known before keepalived 2.2.8",
    );
  });

  test("interfaces are held against the machine only when it is known", () => {
    const text = fileOf("vi | track_interface { eth7 }");
    expect(parseText(text).verdict).toBe("accept");
    expect(parseText(text, { facts: { interfaces: new Set(["eth0"]) } }).problems[0]?.message).toBe(
      "interface 'eth7' does not exist",
    );
    expect(parseText(`global_defs {\ndynamic_interfaces\n}\n${text}`, { facts: { interfaces: new Set() } }).verdict).toBe(
      "accept",
    );
  });
});

describe("verdicts recorded from keepalived -t 2.2.7", () => {
  const rows = read("verdicts.txt")
    .trimEnd()
    .split("\n")
    .map((row) => row.split("\t") as [string, string]);
  const facts = {
    interfaces: new Set(["lo", "eth0", "eth1"]),
    macvlans: new Set<string>(),
    users: new Set(["root"]),
    groups: new Set(["root"]),
    cpus: 2,
    resolves: (name: string) => name === "localhost",
    script: (path: string) =>
      (/^(\/bin\/(true|false)|true|kill|\/etc\/passwd)$/.test(path) ? "ok" : "missing") as "ok" | "missing",
  };

  test("there are a thousand of them", () => expect(rows.length).toBeGreaterThan(1000));

  test("ours are the same but for the wanted differences", () => {
    const wrong = rows.filter(([verdict, row]) => {
      const ours = parseText(fileOf(row), { dialect: "2.2.7", facts, configId: "left" }).verdict;
      const wanted = /\binet6?\b|ip_proto|vrf eth0|name (a\.b|1\.)/.test(row);
      return verdict !== "crash" && ours !== verdict && !wanted;
    });
    expect(wrong).toEqual([]);
  });

  test("every wanted difference has a reason of its own", () => {
    expect(new Set(differences.map((d) => d.reason)).size).toBe(differences.length);
  });
});

describe("any text at all", () => {
  const texts = ["two-routers", "sync-group", "ipv6", "web-farm", "generated", "conditional", "globals", "mistakes"].map((n) =>
    read(`${n}.conf`),
  );

  test("mutated files are read without a crash or a hang", () => {
    const random = numbers(11);
    const count = Number(process.env.LVSD_FUZZ ?? 2000);
    for (let n = 0; n < count; n++) {
      const text = mutate(texts[Math.floor(random() * texts.length)]!, random);
      const result = parseText(text, { configId: "left" });
      expect(result.verdict).toBe(result.problems.some((p) => p.severity === "error") ? "refuse" : "accept");
    }
  }, 600_000);

  test("random text is read without a crash", () => {
    const word = fc.oneof(
      fc.constantFrom("{", "}", '"', "$A", "$A=", "~SEQ(", "@x", "include", "vrrp_instance", "virtual_server", "\n", "\\\n"),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 40 }), (words) => {
        expect(parseText(words.join(" ")).config.vrrpInstance).toBeInstanceOf(Array);
      }),
      { numRuns: 500 },
    );
  });

  test("40 000 lines take about ten times as long as 4 000", () => {
    const server =
      "    real_server 10.0.0.1 80 {\n        weight 1\n        TCP_CHECK {\n            connect_timeout 3\n        }\n    }\n";
    const service = (n: number): string =>
      `virtual_server 10.${n >> 8}.${n & 255}.1 80 {\n    lb_algo rr\n    lb_kind NAT\n    protocol TCP\n${server}}\n`;
    const text = Array.from({ length: 3637 }, (_, n) => service(n)).join("");
    expect(text.split("\n").length).toBeGreaterThan(40_000);
    const { config, problems } = parseText(text);
    expect(problems).toEqual([]);
    expect(config.virtualServer.length).toBe(3637);
    // Times are compared inside one run, the best of a few: the machine is shared.
    const best = (run: () => void): number => Math.min(...Array.from({ length: 3 }, () => timed(run)));
    const tenth = text.slice(0, text.indexOf("virtual_server 10.1.107.1 "));
    const lines = best(() => readLines("f", { read: () => text, glob: () => [] }));
    const all = best(() => parseText(text));
    const small = best(() => parseText(tenth));
    console.info(`${text.split("\n").length} lines: ${lines.toFixed(0)} ms to words, ${all.toFixed(0)} ms to values`);
    expect(tenth.split("\n").length).toBeGreaterThan(3_900);
    expect(all).toBeLessThan(small * 40); // ten times the lines, not a hundred times the time
  }, 60_000);
});
