import { describe, expect, test } from "vitest";
import { comparePair } from "./pair.ts";
import { parseText } from "./parse.ts";
import { describe as line } from "./source.ts";

const NODE = `global_defs {
    router_id left
}
vrrp_instance VI {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 150
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass 1111
    }
    unicast_src_ip 10.0.0.1
    unicast_peer { 10.0.0.2 }
    virtual_ipaddress { 10.0.0.100/24 }
}
virtual_server 10.0.0.100 80 {
    protocol TCP
    lb_algo wlc
    lb_kind DR
    real_server 10.0.0.11 80 {
        TCP_CHECK { }
    }
}
`;
const peer = NODE.replace("left", "right")
  .replace("150", "100")
  .replace("src_ip 10.0.0.1", "src_ip 10.0.0.9")
  .replace("{ 10.0.0.2 }", "{ 10.0.0.1 }")
  .replace("10.0.0.9", "10.0.0.2");

const compare = (second: string, first = NODE): string[] =>
  comparePair(
    { name: "a.conf", result: parseText(first, {}, "a.conf") },
    { name: "b.conf", result: parseText(second, {}, "b.conf") },
  ).map(line);

/** What is changed in the second file, and what is said. */
const rows: [what: string, from: string, to: string, said: string][] = [
  [
    "one priority",
    "priority 100",
    "priority 150",
    "b.conf:8:5: error: 'VI' has priority 150 in a.conf too: the greater address wins, not who is meant to [pair-priority]",
  ],
  [
    "two VRIDs of one name",
    "virtual_router_id 51",
    "virtual_router_id 52",
    "b.conf:7:5: error: 'VI' has the VRID 52 here and 51 in a.conf: they do not hear each other, both become MASTER [pair-vrid]",
  ],
  [
    "two intervals",
    "advert_int 1",
    "advert_int 2",
    "b.conf:9:5: error: advert_int of 'VI' is 2 s here and 1 s in a.conf: each refuses the other's adverts [pair-advert]",
  ],
  [
    "two passwords, without repeating them",
    "auth_pass 1111",
    "auth_pass 1112",
    "b.conf:12:9: error: auth_pass of 'VI' is another one in a.conf: each refuses the other's adverts [pair-auth]",
  ],
  [
    "authentication of another kind",
    "auth_type PASS",
    "auth_type AH",
    "b.conf:10:5: error: authentication of 'VI' is AH here and PASS in a.conf: each refuses the other's adverts [pair-auth]",
  ],
  [
    "two lists of addresses",
    "virtual_ipaddress { 10.0.0.100/24 }",
    "virtual_ipaddress { 10.0.0.101/24 }",
    "b.conf:16:5: error: virtual_ipaddress of 'VI' is 10.0.0.101 here and 10.0.0.100 in a.conf [pair-addresses]",
  ],
  [
    "two versions",
    "priority 100",
    "version 3\n    priority 100",
    "b.conf:8:5: error: version of 'VI' is 3 here and 2 in a.conf: each refuses the other's adverts [pair-version]",
  ],
  [
    "a peer that is not told to",
    "unicast_peer { 10.0.0.1 }",
    "unicast_peer { 10.0.0.3 }",
    "b.conf:15:5: error: unicast_peer lacks 10.0.0.1, the unicast_src_ip of a.conf: it hears nothing from here [pair-unicast]",
  ],
  [
    "a source that the peer does not expect",
    "unicast_src_ip 10.0.0.2",
    "unicast_src_ip 10.0.0.3",
    "b.conf:14:5: error: unicast_peer of a.conf lacks 10.0.0.3, the unicast_src_ip here: nothing comes from there [pair-unicast]",
  ],
  [
    "unicast beside multicast",
    "unicast_src_ip 10.0.0.2\n    unicast_peer { 10.0.0.1 }\n",
    "",
    "b.conf:4:1: error: 'VI' is multicast here and unicast in a.conf: they do not hear each other [pair-unicast]",
  ],
  [
    "a service that one has not",
    "virtual_server 10.0.0.100 80",
    "virtual_server 10.0.0.100 81",
    "b.conf:18:1: warning: virtual_server 10.0.0.100 81 TCP is not in a.conf [pair-service]",
  ],
  [
    "other real servers",
    "real_server 10.0.0.11 80",
    "real_server 10.0.0.12 80",
    "b.conf:18:1: warning: virtual_server 10.0.0.100 80 TCP has other real servers in a.conf: 10.0.0.12 80, 10.0.0.11 80 [pair-service]",
  ],
  [
    "one router_id",
    "router_id right",
    "router_id left",
    "b.conf:2:5: warning: a.conf has the router_id 'left' too [pair-router-id]",
  ],
];

describe("the files of a pair", () => {
  test("that belong together need no word", () => {
    expect(compare(peer)).toEqual([]);
  });

  test.each(rows)("with %s are told of it", (_, from, to, said) => {
    expect(peer).toContain(from);
    expect(compare(peer.replace(from, to))).toContain(said);
  });

  test("with one file twice are told of the copied source address", () => {
    expect(compare(NODE)).toContain("b.conf:14:5: error: 10.0.0.1 is the unicast_src_ip of a.conf too [pair-unicast]");
  });

  test("with a router that one of them lacks are told in both directions", () => {
    const more = `${peer}vrrp_instance VX {\n interface eth1\n virtual_router_id 9\n virtual_ipaddress { 10.9.0.1 }\n}\n`;
    expect(compare(more)).toEqual(["b.conf:26:1: warning: 'VX' (VRID 9) is not in a.conf [pair-missing]"]);
    expect(compare(NODE, more)).toContain("b.conf:1: warning: 'VX' (VRID 9) of a.conf is missing here [pair-missing]");
  });
});
