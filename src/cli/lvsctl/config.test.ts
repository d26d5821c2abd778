import { describe, expect, test } from "vitest";
import { ip } from "../../net/ip.ts";
import type { Io } from "./command.ts";
import { addConfig } from "./config.ts";
import type { ConfigMachine } from "./config-machine.ts";
import type { Control } from "./control.ts";
import { lvsctl } from "./main.ts";

const GOOD = `vrrp_instance VI {
    interface eth0
    virtual_router_id 51
    @left priority 150
    @right priority 100
    virtual_ipaddress {
        10.0.0.100/24
    }
}
`;
const DR = `virtual_server 10.0.0.100 80 {
    protocol TCP
    lb_algo rr
    lb_kind DR
    real_server 10.9.0.1 80 {
        TCP_CHECK { }
    }
}
`;
const LDIRECTORD = "virtual = 192.0.2.1:http\n    real = 10.0.0.1:80 gate\n    checktype = connect\n    cecktimeout = 3\n";

const texts: Record<string, string> = {
  "/etc/keepalived/keepalived.conf": GOOD,
  "good.conf": GOOD,
  "bad.conf": GOOD.replace("interface", "interfce").replace("virtual_router_id 51", "virtual_router_id 300"),
  "dr.conf": DR,
  "untidy.conf": "! mine\nglobal_defs {   router_id    x }\n",
  "tidy.conf": "! mine\nglobal_defs {\n    router_id x\n}\n",
  "ldirectord.cf": LDIRECTORD,
  "fine.cf": LDIRECTORD.replace("    cecktimeout = 3\n", ""),
};

interface Ran {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
  readonly written: Record<string, string>;
}

async function run(words: string): Promise<Ran> {
  let [out, err] = ["", ""];
  const written: Record<string, string> = {};
  const machine: ConfigMachine = {
    files: { read: (path) => texts[path], glob: () => [] },
    configId: () => "left",
    facts: () => ({ interfaces: new Set(["eth0"]) }),
    lintFacts: () => ({ addresses: { eth0: [{ ip: ip("10.0.0.2"), length: 24 }] } }),
    portOf: (name) => (name === "http" ? 80 : undefined),
    undone: ({ lines }) =>
      lines.some((l) => l.words[0]?.text === "router_id") ? ["x.conf:2: router_id is read and not carried out"] : [],
    write: (path, text) => {
      written[path] = text;
    },
  };
  const io: Io = {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    terminal: false,
    rows: () => 24,
    pause: async () => false,
  };
  const nobody = new Proxy({} as Control, {
    get() {
      throw new Error("lvsd was asked");
    },
  });
  const exit = await lvsctl(words.split(" "), io, nobody, false, [addConfig(machine)]);
  return { exit, out, err, written };
}

describe("lvsctl config check", () => {
  test("without a file looks at keepalived's own place", async () => {
    expect(await run("config check")).toMatchObject({ exit: 0, out: "/etc/keepalived/keepalived.conf: in order\n", err: "" });
  });

  test("tells every problem with its place, its line and what was meant, and exits 1", async () => {
    const { exit, out, err } = await run("config check -f bad.conf");
    expect([exit, err]).toEqual([1, ""]);
    expect(out).toContain(
      "bad.conf:2:5: error: unknown keyword 'interfce' (did you mean 'interface'?)\n      interfce eth0\n      ^~~~~~~~\n",
    );
    expect(out).toContain("bad.conf:3:23: error: 300 is outside 1..255\n");
    expect(out).toMatch(/bad\.conf: \d+ errors\n$/);
  });

  test("adds advice, which is no error unless it is to be one", async () => {
    const { exit, out } = await run("config check dr.conf");
    expect(out).toContain(
      "dr.conf:5:5: warning: DR needs 10.9.0.1 on a connected segment, it is behind a router [dr-not-connected]\n",
    );
    expect(out).toMatch(/dr\.conf: 1 warning\n$/);
    expect(exit).toBe(0);
    expect((await run("config check --strict dr.conf")).exit).toBe(1);
    expect((await run("config check --no-lint dr.conf")).out).toBe("dr.conf: in order\n");
    expect((await run("config check --no-host dr.conf")).out).toBe("dr.conf: in order\n");
  });

  test("compares the files of a pair, and one file as its two nodes read it", async () => {
    const twice = await run("config check good.conf good.conf");
    expect(twice.exit).toBe(1);
    expect(twice.out).toContain("'VI' has priority 150 in good.conf too");
    const nodes = await run("config check good.conf -i left -i right");
    expect(nodes).toMatchObject({
      exit: 0,
      out: "good.conf as left: in order\ngood.conf as right: in order\ngood.conf as left and good.conf as right: in order\n",
    });
  });

  test("knows an ldirectord.cf when it sees one", async () => {
    const { exit, out } = await run("config check ldirectord.cf");
    expect(exit).toBe(1);
    expect(out).toContain("ldirectord.cf:4:5: error: unknown command \"cecktimeout = 3\" (did you mean 'checktimeout'?)\n");
    expect((await run("config check fine.cf")).exit).toBe(0);
  });

  test("tells which words lvsd does not carry out", async () => {
    expect((await run("config check tidy.conf")).out).toContain("x.conf:2: warning: router_id is read and not carried out\n");
  });

  test("--json is a list of files with their problems", async () => {
    const { exit, out } = await run("config check --json bad.conf");
    expect(exit).toBe(1);
    const [{ name, problems }] = JSON.parse(out);
    expect(name).toBe("bad.conf");
    expect(problems).toContainEqual({
      ...{ file: "bad.conf", line: 2, column: 5, severity: "error", message: "unknown keyword 'interfce'" },
      ...{ text: "    interfce eth0", length: 8, kind: "instance", suggestion: "interface" },
    });
  });

  test("of a file that is not there says so", async () => {
    expect(await run("config check none.conf")).toMatchObject({
      exit: 1,
      out: "none.conf: error: the file is not there or cannot be read\nnone.conf: 1 error\n",
    });
  });
});

describe("lvsctl config", () => {
  test("show tells each value with its place, for people and for programs", async () => {
    const { out } = await run("config show -f good.conf -i right");
    expect(out).toMatch(/^ {4}priority 100 +# good\.conf:5$/m);
    expect(out).not.toContain("150");
    expect(JSON.parse((await run("config show -f good.conf --json")).out)).toContainEqual({
      path: ["vrrp_instance VI", "priority"],
      value: 150,
      from: "good.conf:4",
    });
    expect((await run("config show -f good.conf --defaults")).out).toMatch(/advert_int 1 +# default\n/);
  });

  test("show of a file with errors shows what is usable, and tells the errors", async () => {
    const { exit, out, err } = await run("config show -f bad.conf");
    expect(exit).toBe(1);
    expect(out).toContain("vrrp_instance VI {");
    expect(err).toContain("bad.conf:3:23: error: 300 is outside 1..255\n");
  });

  test("fmt prints the canonical form, writes it, or says whether it is there", async () => {
    const tidy = texts["tidy.conf"]!;
    expect(await run("config fmt -f untidy.conf")).toMatchObject({ exit: 0, out: tidy, written: {} });
    expect(await run("config fmt -f untidy.conf --write")).toMatchObject({ exit: 0, out: "", written: { "untidy.conf": tidy } });
    expect(await run("config fmt -f tidy.conf --write")).toMatchObject({ exit: 0, out: "", written: {} });
    expect((await run("config fmt -f untidy.conf --check")).exit).toBe(1);
    expect((await run("config fmt -f tidy.conf --check")).exit).toBe(0);
  });

  test("explain tells what a word means, and which one was meant", async () => {
    expect((await run("config explain vrrp_instance priority")).out).toContain("in       vrrp_instance\n");
    expect(await run("config explain prioritty")).toMatchObject({
      exit: 1,
      out: "",
      err: "lvsctl: keepalived.conf has no 'prioritty' (did you mean 'priority'?)\n",
    });
    expect(JSON.parse((await run("config explain omega --json")).out)[0]).toMatchObject({ path: ["virtual_server"] });
  });

  test("convert makes a keepalived.conf of an ldirectord.cf, and nothing of a bad one", async () => {
    expect((await run("config convert fine.cf")).out).toContain("virtual_server 192.0.2.1 80 {\n");
    const { exit, out, err } = await run("config convert ldirectord.cf");
    expect([exit, out]).toEqual([1, ""]);
    expect(err).toContain("ldirectord.cf:4:5: error:");
  });

  test("of a file that is not there says so", async () => {
    for (const words of ["config show -f none.conf", "config fmt -f none.conf", "config convert none.conf"])
      expect(await run(words)).toMatchObject({
        exit: 1,
        out: "",
        err: "lvsctl: config: none.conf is not there or cannot be read\n",
      });
  });
});
