import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { diskFiles } from "./files.ts";
import { readConfig, testConfig } from "./read.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lvsd-read-"));
  path = join(folder, "keepalived.conf");
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (text: string): void => writeFileSync(path, text);
const service = (more: string): string => `virtual_server 192.0.2.1 80 {
  protocol TCP
  lb_kind NAT
  ${more}
  real_server 127.0.0.1 8080 {
    TCP_CHECK {
    }
  }
}
`;

test("lvs_timeouts are read as the director has them; what is left out is 0, unchanged", () => {
  write(`global_defs {\n lvs_timeouts tcp 900 tcpfin 20\n}\n${service("lb_algo rr")}`);
  const read = readConfig(path);
  expect("wanted" in read && read.wanted.timeouts).toEqual({ tcp: 900, tcpFin: 20, udp: 0 });
});

test("-t of a file in order ends with 0", () => {
  write(service("lb_algo rr"));
  expect(testConfig(path)).toEqual({ print: "", exit: 0 });
});

test("-t tells every problem with its place, its line, a caret and what was meant, and ends with 5", () => {
  write(`${service("lb_allgo rr")}${service("lb_kind NATT")}`);
  const { print, exit } = testConfig(path);
  expect(exit).toBe(5);
  expect(print).toContain(`${path}:4:3: error: `);
  expect(print).toContain("(did you mean 'lb_algo'?)\n    lb_allgo rr\n    ^~~~~~~~\n");
  expect(print).toMatch(new RegExp(`^${path}:13:11: error: .*\n.*lb_kind NATT\n {12}\\^~~~$`, "m"));
});

test("-t ends with 6 when scripts are run without script security, and when there is no file", () => {
  write(service("lb_algo rr\n  quorum_up /bin/true"));
  expect(testConfig(path).exit).toBe(6);
  expect("wanted" in readConfig(path)).toBe(true); // it is judged, and left out or not, when it is to run
  expect(testConfig(join(folder, "none")).exit).toBe(6);
});

test("a finding that keepalived runs with is told and left out; strict refuses the file for it", () => {
  write(`${service("lb_algo rr")}virtual_sever 1.2.3.4 80 {\n}\n`);
  const read = readConfig(path);
  expect("errors" in read && read.errors.join()).toContain("did you mean 'virtual_server'?");
  expect(read).toMatchObject({
    wanted: { hasVrrp: false, flush: false, health: { services: [{ name: "[192.0.2.1]:tcp:80" }] } },
  });
  const refused = readConfig(path, { strict: true });
  expect("problems" in refused && refused.problems.join()).toContain("did you mean 'virtual_server'?");
});

const DYNAMIC = "global_defs {\n  dynamic_interfaces\n}\n";
const instance = (name: string): string => `vrrp_instance ${name} {\n  interface nosuch0\n  virtual_router_id 1\n}\n`;
const fatal: [what: string, text: string][] = [
  ["a missing value", service("lb_algo")],
  ["an interface that is not there", instance("A")],
  ["an instance without number", `${DYNAMIC}vrrp_instance A {\n  interface nosuch0\n}\n`],
  ["two instances with one number", DYNAMIC + instance("A") + instance("B")],
];
for (const [what, text] of fatal)
  test(`${what} refuses the file, as with keepalived`, () => {
    write(text);
    expect("problems" in readConfig(path)).toBe(true);
  });

test("what keepalived says about the mistakes of public files comes true: they are left out, or their defaults count", () => {
  write(`lvs_id X
${DYNAMIC}vrrp_instance A {
  interface nosuch0
  virtual_router_id 7
  authentication {
    auth_type PASS
    auth_pass 1234567890
  }
  garp_interval 1
  virtual_ipaddress {
    192.0.2.9
    nonsense
  }
}
vrrp_instance A {
  interface nosuch0
  virtual_router_id 8
}
vrrp_sync_group G {
  group {
    A
    NOBODY
  }
}
virtual_server 192.0.2.1 80 {
  lb_algo loadbalance
  lb_kind dr
  persistence_timeout 0
  quorum 0
  real_server www.example.com 80 {
  }
  real_server 127.0.0.1 8080 {
    HTTP_GET {
      url {
        path /
      }
      nb_get_retry 4
    }
  }
}
`);
  const read = readConfig(path);
  if (!("wanted" in read)) throw new Error(read.problems.join("\n"));
  const { vrrp, health } = read.wanted;
  expect(vrrp.instances.map((i) => [i.name, i.vrid, i.auth.password, i.addresses.length])).toEqual([["A", 7, "12345678", 1]]);
  expect(vrrp.groups.map((g) => g.members)).toEqual([["A"]]);
  expect(health.services).toMatchObject([
    {
      quorum: 1,
      specs: [{ scheduler: "wlc" }],
      servers: [{ dest: { addr: "127.0.0.1", method: "nat" } }],
    },
  ]);
  expect(health.services[0]!.specs[0]!.persistSeconds).toBe(0);
  expect(health.services[0]!.servers).toHaveLength(1);
  expect(health.services[0]!.servers[0]!.checks[0]).toMatchObject({ retry: 4 });
});

test("words that are read and not carried out are told, once each", () => {
  write(`${service("lb_algo rr\n  syn_proxy")}global_defs {\n  enable_dbus\n  enable_dbus\n}\n`);
  const read = readConfig(path);
  const notes = [`${path}:5: syn_proxy is read and not carried out`, `${path}:12: enable_dbus is read and not carried out`];
  expect("notes" in read && read.notes.filter((note) => note.includes("carried out"))).toEqual(notes);
  expect(testConfig(path).print).toContain(`${path}:5: warning: syn_proxy is read`);
});

test("BFD sessions are read for their process, and with -B for none, though they are tracked all the same", () => {
  const router =
    "vrrp_instance V {\n interface eth9\n virtual_router_id 1\n track_bfd {\n B\n }\n virtual_ipaddress {\n 192.0.2.1\n }\n}\n";
  write(`global_defs {\n dynamic_interfaces\n}\nbfd_instance B {\n neighbor_ip 192.0.2.9\n}\n${router}`);
  const counts = (how: { noBfd?: boolean }): number[] => {
    const read = readConfig(path, how);
    return "wanted" in read ? [read.wanted.bfd.sessions.length, read.wanted.vrrp.instances[0]!.track.bfds.length] : [];
  };
  expect([counts({}), counts({ noBfd: true })]).toEqual([
    [1, 1],
    [0, 1],
  ]);
});

test("files that are included are found by the shell's wildcards, sorted, and plain ones only", () => {
  mkdirSync(join(folder, "d"));
  for (const name of ["b.conf", "a.conf", ".c.conf", "x.txt", "[1].conf"]) writeFileSync(join(folder, "d", name), "");
  const names = (pattern: string): string[] =>
    diskFiles.glob(join(folder, pattern)).map((found) => found.slice(folder.length + 1));
  expect(names("d/*.conf")).toEqual(["d/[1].conf", "d/a.conf", "d/b.conf"]);
  expect(names("*/[!a].{conf,txt}")).toEqual(["d/b.conf", "d/x.txt"]);
  expect(names("d/?.conf")).toEqual(["d/a.conf", "d/b.conf"]);
  expect(names("e/*")).toEqual([]);
  chmodSync(join(folder, "d/b.conf"), 0o755);
  expect(["d", "d/a.conf", "d/b.conf"].map((name) => diskFiles.isSkipped?.(join(folder, name)))).toEqual([true, false, true]);
});
