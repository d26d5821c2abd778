import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseLdirectord } from "./ldirectord.ts";

const sample = `# a comment
checktimeout = 3
quiescent=no
logfile="local0"
virtual = 192.0.2.1:80
    real = 10.0.0.1:80 gate
    real = 10.0.0.2->10.0.0.4:http masq 5 "up", "ok" l:5 u:9
\tservice = http   # trailing
    # between
    request = "index.html"
    scheduler = wlc
    protocol = tcp

virtual6 = [2001:db8::1]:443
    real6 = [2001:db8::2]:443 gate 2
    checktype = connect
virtual = 7
        real = 10.0.0.9 ipip
`;

const problems = (text: string): string[] => parseLdirectord(text).problems.map((p) => `${p.origin.line} ${p.message}`);

describe("ldirectord.cf", () => {
  test("becomes directives, virtual services and real servers", () => {
    const { config, problems } = parseLdirectord(sample);
    expect(problems).toEqual([]);
    expect(config.directives.logfile?.value).toBe("local0");
    expect(config.virtuals.map((v) => v.service)).toEqual([
      { by: "address", host: "192.0.2.1", ip: "192.0.2.1", port: 80 },
      { by: "address", host: "2001:db8::1", ip: "2001:db8::1", port: 443 },
      { by: "fwmark", fwmark: 7, family: "ipv4" },
    ]);
    expect(config.virtuals[0]?.reals[1]).toMatchObject({
      first: "10.0.0.2",
      last: "10.0.0.4",
      port: "http",
      method: "nat",
      weight: 5,
      request: "/up",
      receive: "ok",
    });
    expect(config.virtuals[0]?.directives.service?.value).toBe("http");
    expect(config.virtuals[1]?.reals[0]).toMatchObject({ first: "2001:db8::2", port: 443, method: "route", weight: 2 });
  });

  const bad: [line: string, problem: string][] = [
    ["nonsense = 1", '1 unknown command "nonsense = 1"'],
    ["logfile=local0", "1 the value of logfile stands in quotes"],
    ["checktimeout=0", "1 checktimeout is a number from 1"],
    ["quiescent=maybe", "1 quiescent is yes or no"],
    ["timeout=5", "1 timeout is deprecated"],
    ["virtual=fe80::1:80", "1 'fe80::1:80' is not ADDRESS:PORT or a mark"],
    ["virtual=[fe80::1]:80", "1 fe80::1 belongs under virtual6"],
    ["  real=10.0.0.1 gate", "1 a directive outside a virtual block starts in the first column"],
    ["virtual=1\n    real=10.0.0.1 direct", "2 'direct' is not one of gate, masq, ipip"],
    ["virtual=1\n    real=10.0.0.1 gate\n\n    scheduler=rr", "4 a directive outside a virtual block starts in the first column"],
    ["fallback=127.0.0.1\nvirtual=1\nvirtual=1", "3 duplicate virtual server"],
  ];
  test.each(bad)("%j is told as %s", (text, problem) => {
    expect(problems(text)).toContain(problem);
  });

  test("any text is read without a crash", () => {
    fc.assert(fc.property(fc.string(), (text) => parseLdirectord(`virtual=1\n    ${text}`).config.virtuals.length >= 1));
  });
});
