import { expect, test } from "vitest";
import { parseText } from "../../config/parse.ts";
import { fromConfig } from "./from-config.ts";

const read = (text: string) => fromConfig(parseText(text).config);
const one = (words: string, before = "") =>
  read(`${before}\nvrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n ${words}\n}`).instances[0]!;
const VIP = "virtual_ipaddress {\n 10.0.0.100/24 dev eth1 label eth1:v brd +\n 10.0.0.101\n }";

test("an instance has every default filled in", () => {
  expect(one(VIP)).toMatchObject({
    ...{ name: "VI_1", vrid: 51, family: "ipv4", version: 2, interface: "eth0", priority: 100, eager: false },
    ...{ advertInterval: 1000, preempt: true, preemptDelay: 0, auth: { type: "none" }, source: undefined, group: "224.0.0.18" },
    ...{ peers: [], ttl: 255, sum: "pseudo", downTimerAdverts: 3, lowerPrioNoAdvert: false, vmac: undefined, trackPrimary: true },
    announce: { delay: 5000, repeat: 5, refresh: 0, refreshRepeat: 1, lowerDelay: 5000, lowerRepeat: 5 },
    addresses: [
      { ip: "10.0.0.100", length: 24, dev: "eth1", label: "eth1:v", broadcast: "10.0.0.255" },
      { ip: "10.0.0.101", length: 32, dev: undefined, label: "", broadcast: undefined },
    ],
    track: { interfaces: [{ name: "eth1", weight: undefined }] }, // of an address
  });
});

const cases: [name: string, words: string, before: string, expected: object][] = [
  ["state MASTER without a priority is an owner", `state MASTER\n ${VIP}`, "", { eager: true, priority: 255 }],
  ["an owner preempts, whatever it says", `priority 255\n nopreempt\n ${VIP}`, "", { preempt: true }],
  [
    "IPv6 has version 3 and its own group",
    "virtual_ipaddress {\n fe80::1\n }",
    "",
    { version: 3, family: "ipv6", group: "ff02::12" },
  ],
  [
    "version 3 has no authentication",
    `version 3\n authentication {\n auth_type PASS\n auth_pass x\n }\n ${VIP}`,
    "",
    { auth: { type: "none" } },
  ],
  ["version 2 counts whole seconds", `advert_int 1.4\n ${VIP}`, "", { advertInterval: 1000 }],
  ["version 3 has 12 bits", `version 3\n advert_int 200\n ${VIP}`, "", { advertInterval: 40_950 }],
  ["fractions of seconds", `version 3\n advert_int 0.25\n ${VIP}`, "", { advertInterval: 250 }],
  [
    "unicast with its peers",
    `unicast_src_ip 10.0.0.1\n unicast_peer {\n 10.0.0.2 min_ttl 10\n }\n ${VIP}`,
    "",
    { source: "10.0.0.1", peers: [{ ip: "10.0.0.2", minTtl: 10, maxTtl: 255 }] },
  ],
  ["a virtual MAC has a name from its number", `use_vmac\n ${VIP}`, "", { vmac: "vrrp.51" }],
  [
    "defaults of all instances",
    VIP,
    "global_defs {\n vrrp_garp_master_delay 2\n vrrp_garp_master_repeat 3\n }",
    {
      announce: { delay: 2000, repeat: 3, refresh: 0, refreshRepeat: 1, lowerDelay: 2000, lowerRepeat: 3 },
    },
  ],
  ["no_accept refuses, but for an owner", `no_accept\n ${VIP}`, "", { accept: false }],
  ["strict mode refuses too", VIP, "global_defs {\n vrrp_strict\n }", { accept: false }],
  // As keepalived 2.2.7 says, "resetting".
  [
    "strict mode overrules what the RFC does not know",
    `${VIP}\n state MASTER\n priority 120\n down_timer_adverts 5\n lower_prio_no_advert off\n higher_prio_send_advert\n garp_lower_prio_repeat 3`,
    "global_defs {\n vrrp_strict\n }",
    { eager: false, downTimerAdverts: 3, lowerPrioNoAdvert: true, higherPrioSendAdvert: false, announce: { lowerRepeat: 0 } },
  ],
  ["strict mode is quiet about lower adverts", VIP, "global_defs {\n vrrp_strict\n }", { lowerPrioNoAdvert: true }],
  [
    "routes and rules as the kernel has them",
    `virtual_routes {\n default via 10.0.0.254 dev eth0 table 7 metric 5\n }\n virtual_rules {\n from 10.0.0.100/32 table 7 priority 100\n }\n ${VIP}`,
    "",
    {
      routes: [{ prefix: undefined, length: 0, via: "10.0.0.254", dev: "eth0", table: 7, metric: 5 }],
      rules: [{ preference: 100, from: { ip: "10.0.0.100", length: 32 }, table: 7 }],
    },
  ],
];
for (const [name, words, before, expected] of cases) test(name, () => expect(one(words, before)).toMatchObject(expected));

test("addresses that an advert has no room for are held all the same", () => {
  const list = Array.from({ length: 100 }, (_, n) => `fe80::${n + 1}`).join("\n");
  const { addresses, excluded } = one(`virtual_ipaddress {\n ${list}\n }`);
  expect([addresses.length, excluded.length]).toEqual([90, 10]);
});

test("static addresses stand on the default interface", () => {
  const { statics } = read(
    "global_defs {\n default_interface eth7\n }\nstatic_ipaddress {\n 10.0.0.5/24\n 10.0.1.5/24 dev eth1\n }",
  );
  expect(statics.addresses.map((a) => `${a.ip}/${a.length} ${a.dev}`)).toEqual(["10.0.0.5/24 eth7", "10.0.1.5/24 eth1"]);
});

test("in a sync group what has a weight is not tracked, what has none is", () => {
  const { instances } = read(`
vrrp_script light {
  script /bin/true
}
vrrp_script heavy {
  script /bin/true
  weight 10
}
vrrp_sync_group G {
  group {
    VI_1
    VI_2
  }
}
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 1
  track_script {
    light
    heavy
  }
  track_interface {
    eth1 weight 5
    eth2
  }
  ${VIP.replace("dev eth1", "")}
}`);
  expect(instances[0]!.track).toMatchObject({ scripts: [{ name: "light" }], interfaces: [{ name: "eth2" }] });
});

test("trackers, groups, scripts and FIFOs", () => {
  const config = read(`
global_defs {
  script_user root
  vrrp_notify_fifo /run/f
  vrrp_notify_fifo_script "/bin/reader -x"
  vrrp_startup_delay 2.5
}
vrrp_script chk {
  script "/bin/check a b"
  interval 2
  weight -10 reverse
  rise 3
}
track_file tf {
  file /run/w
}
vrrp_track_process nginx {
  process nginx
  quorum 2
  delay 3
}
vrrp_sync_group G {
  sync_group_tracking_weight
  group {
    VI_1
    VI_2
  }
  notify_master "/bin/up now" nobody
}
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 1
  track_script {
    chk weight 5
  }
  virtual_ipaddress {
    10.0.0.1
  }
}
vrrp_instance VI_2 {
  interface eth0
  virtual_router_id 2
  notify /bin/n
  virtual_ipaddress {
    10.0.0.2
  }
}`);
  expect(config).toMatchObject({
    startupDelay: 2500,
    fifos: [{ path: "/run/f", reader: { command: ["/bin/reader", "-x"] } }],
    scripts: [
      {
        ...{ name: "chk", interval: 2000, timeout: 2000, rise: 3, fall: 1, weight: { weight: -10, reverse: true } },
        run: { command: ["/bin/check", "a", "b"], user: "root" },
      },
    ],
    files: [{ name: "tf", path: "/run/w", weight: { weight: 1, reverse: false } }],
    processes: [{ name: "nginx", command: ["nginx"], match: "name", quorum: 2, forkDelay: 3000, terminateDelay: 3000 }],
    groups: [{ name: "G", members: ["VI_1", "VI_2"], notify: { master: { command: ["/bin/up", "now"], user: "nobody" } } }],
  });
  expect(config.instances[0]!.track.scripts).toEqual([{ name: "chk", weight: { weight: 5, reverse: true } }]);
  expect(config.instances[1]!.notify.any).toEqual({ command: ["/bin/n"], user: "root", group: undefined });
});

test("rules without a preference are counted down through the whole file", () => {
  const { instances, statics } = read(`
static_rules {
  from 10.1.0.0/16 table 7
}
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  ${VIP}
  virtual_rules {
    from 10.2.0.0/16 table 7
    from 10.3.0.0/16 table 7 preference 100
    from 10.4.0.0/16 table 7
  }
}`);
  expect(statics.rules.map((r) => r.preference)).toEqual([16384]);
  expect(instances[0]!.rules.map((r) => r.preference)).toEqual([16383, 100, 16382]);
});

test("a tracker that is reversed stays so where it is given another weight", () => {
  const { instances } = read(`
vrrp_track_process few {
  process nginx
  weight -2 reverse
}
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  track_process {
    few weight 1
  }
  ${VIP}
}`);
  expect(instances[0]!.track.processes).toEqual([{ name: "few", weight: { weight: 1, reverse: true } }]);
});

test("virtual MACs of one number are called as keepalived 2.2.7 calls them, and a name that is asked for is left", () => {
  const wanted: [vrid: number, family: "inet" | "inet6", word: string, name: string | undefined][] = [
    [51, "inet", "use_vmac", "vrrp.51"],
    [51, "inet", "use_vmac", "vrrp1.51"],
    [51, "inet", "use_vmac vrrp.52", "vrrp.52"],
    [51, "inet6", "use_vmac", "vrrp6.51"],
    [51, "inet6", "use_vmac", "vrrp2.51"],
    [52, "inet", "use_vmac", "vrrp1.52"],
    [51, "inet6", "use_vmac", "vrrp3.51"],
    [51, "inet", "", undefined],
  ];
  const blocks = wanted.map(([vrid, family, word], n) => {
    const vip = family === "inet" ? "10.0.0.1" : "fe80::1";
    return `vrrp_instance V${n} {\n interface eth${n}\n virtual_router_id ${vrid}\n ${word}\n virtual_ipaddress {\n ${vip}\n }\n}\n`;
  });
  expect(read(blocks.join("")).instances.map((i) => i.vmac)).toEqual(wanted.map(([, , , name]) => name));
});
