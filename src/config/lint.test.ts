import { describe, expect, test } from "vitest";
import { ip } from "../net/ip.ts";
import { fileOf } from "./corpus.ts";
import { adviceOn, type LintFacts, lintConfig } from "./lint.ts";
import { parseText } from "./parse.ts";

const lint = (text: string, facts: LintFacts = {}): string[] =>
  lintConfig(parseText(text), facts).map((p) => `${p.rule} ${p.origin.line}`);
const second = "vrrp_instance VJ {\n interface eth1\n virtual_router_id 5\n virtual_ipaddress { 10.0.0.9/24 }\n";

const rows: [what: string, text: string, expected: string][] = [
  ["the same VRID on two interfaces", `${fileOf("vi | priority 5")}${second}}`, "duplicate-vrid 9"],
  ["AH", fileOf("viauth | auth_type AH ;; auth_pass x"), "auth-is-weak 5"],
  ["nopreempt of an owner", fileOf("vi | priority 255 ;; nopreempt"), "owner-nopreempt 6"],
  ["nopreempt with state MASTER", fileOf("vi | priority 9 ;; nopreempt ;; state MASTER"), "master-nopreempt 7"],
  ["weights with nopreempt", fileOf("vi | nopreempt ;; track_interface { eth1 weight 50 }"), "weight-nopreempt 6"],
  ["a weight that changes nothing", fileOf("vi | track_interface { eth1 weight 2 }"), "weight-too-small 5"],
  [
    "advert_int of a sync group's members",
    fileOf("sync | smtp_alert").replace("virtual_router_id 6", "virtual_router_id 6\n advert_int 3"),
    "advert-mismatch 13",
  ],
  ["strict mode", "global_defs {\n vrrp_strict\n}", "strict-blocks-ping 2"],
  ["a quorum out of reach", fileOf("vs | quorum 3"), "quorum-above-weights 5"],
  ["DR with another port", fileOf("vs | real_server 1.2.3.9 81 { }"), "dr-port 5"],
  ["a real server without checks", fileOf("rs | weight 1"), "no-checks 5"],
  ["a sync daemon of nobody", "global_defs {\n lvs_sync_daemon eth0 VX\n}", "sync-daemon-instance 2"],
  ["a script that may run longer than its interval", fileOf("script | interval 2 ;; timeout 3"), "timeout-above-loop 4"],
  ["BFD over IPv6 with a hop limit that others refuse", "bfd_instance B {\n neighbor_ip 2001:db8::9\n}", "bfd-hop-limit 1"],
  [
    "a router that is up only while its peer is",
    "bfd_instance B {\n neighbor_ip 10.0.0.9\n}\nvrrp_instance V {\n interface eth0\n virtual_router_id 1\n unicast_peer {\n 10.0.0.9\n }\n track_bfd {\n B\n }\n}",
    "bfd-of-peer 11",
  ],
];

describe("lint", () => {
  test.each(rows)("warns of %s", (_, text, expected) => {
    expect(lint(text)).toContain(expected);
  });

  test("is not said where a problem is told of the same place", () => {
    const result = parseText(fileOf("vs | quorum 3"));
    expect(lintConfig(result).map(({ rule }) => rule)).toContain("quorum-above-weights");
    expect(adviceOn(result).map(({ rule }) => rule)).not.toContain("quorum-above-weights");
  });

  test("says nothing about a sound pair of directors", () => {
    expect(lint(`${fileOf("vi | priority 90")}${fileOf("rs | TCP_CHECK { connect_timeout 3 }")}`)).toEqual([]);
  });

  test("a weight, a neighbour that is no peer, and a hop limit of 255 are in order", () => {
    const bfd = "bfd_instance B {\n neighbor_ip 2001:db8::9\n hoplimit 255\n weight -10\n}\n";
    const router =
      "vrrp_instance V {\n interface eth0\n virtual_router_id 1\n unicast_peer {\n 2001:db8::9\n }\n track_bfd {\n B\n }\n}";
    expect(lint(`${bfd}${router}`).filter((line) => line.startsWith("bfd"))).toEqual([]);
    const elsewhere = `${bfd.replace(" weight -10\n", "")}${router.replace("2001:db8::9", "2001:db8::8")}`;
    expect(lint(elsewhere).filter((line) => line.startsWith("bfd"))).toEqual([]);
  });

  const addresses = { eth0: [{ ip: ip("10.0.0.2"), length: 24 }], eth1: [{ ip: ip("1.2.3.250"), length: 20 }] };

  test("an address outside the interface's subnets is noticed when they are known", () => {
    const text = fileOf("vi | virtual_ipaddress { 10.9.0.1 }");
    expect(lint(text, { addresses })).toContain("vip-not-connected 5");
    expect(lint(text)).toEqual([]);
    expect(lint(fileOf("vi | virtual_ipaddress { 10.0.0.77 }"), { addresses })).toEqual([]);
  });

  test("a DR real server behind a router is noticed when the segments are known", () => {
    expect(lint(fileOf("rs | TCP_CHECK { }"), { addresses })).toEqual([]);
    expect(lint(fileOf("rs | TCP_CHECK { }"), { addresses: { eth0: addresses.eth0 } })).toEqual(["dr-not-connected 5"]);
  });

  test("strict rp_filter of a VMAC's interface is noticed; a loose one wins over it", () => {
    const sysctls = { "net.ipv4.conf.all.rp_filter": "0", "net.ipv4.conf.eth0.rp_filter": "1" };
    expect(lint(fileOf("vi | use_vmac"), { sysctls })).toEqual(["vmac-rp-filter 5"]);
    expect(lint(fileOf("vi | use_vmac"), { sysctls: { ...sysctls, "net.ipv4.conf.all.rp_filter": "2" } })).toEqual([]);
  });

  test("an address on lo that this host would answer ARP for is noticed", () => {
    const sysctls = { "net.ipv4.conf.all.arp_ignore": "0", "net.ipv4.conf.all.arp_announce": "2" };
    expect(lint(fileOf("vi | virtual_ipaddress { 10.0.0.8 dev lo }"), { sysctls })).toEqual(["dr-arp 5"]);
    const quiet = { ...sysctls, "net.ipv4.conf.all.arp_ignore": "1" };
    expect(lint(fileOf("vi | virtual_ipaddress { 10.0.0.8 dev lo }"), { sysctls: quiet })).toEqual([]);
  });

  test("a VIP of DR that is on lo here needs arp_ignore and arp_announce on every interface", () => {
    const held = { ...addresses, lo: [{ ip: ip("1.2.3.4"), length: 32 }] };
    const sysctls = { "net.ipv4.conf.eth0.arp_ignore": "1", "net.ipv4.conf.eth0.arp_announce": "2" };
    const text = fileOf("rs | TCP_CHECK { }");
    const said = lintConfig(parseText(text), { addresses: held, sysctls }).map((p) => p.message);
    expect(said).toEqual([
      "1.2.3.4 is on lo, and this host answers ARP for it on eth1: set net.ipv4.conf.eth1.arp_ignore=1, asks ARP from it on eth1: set net.ipv4.conf.eth1.arp_announce=2",
    ]);
    expect(lint(text.replace("lb_kind DR", "lb_kind NAT"), { addresses: held, sysctls })).toEqual([]);
  });

  test("an address of a FullNAT pool that this host has not is noticed", () => {
    const text = "local_address_group out {\n 10.0.0.2\n 10.0.0.3\n}\n";
    expect(lint(text, { addresses })).toEqual(["laddr-not-here 3"]);
    expect(lint(text)).toEqual([]);
  });

  test("strict rp_filter of a tunnel is noticed where tunnels are served", () => {
    const tunnel = { ...addresses, tunl0: [{ ip: ip("1.2.3.4"), length: 32 }] };
    const sysctls = { "net.ipv4.conf.tunl0.rp_filter": "1" };
    const text = fileOf("rs | TCP_CHECK { }").replace("lb_kind DR", "lb_kind TUN");
    expect(lint(text, { addresses: tunnel, sysctls })).toEqual(["tun-rp-filter 4"]);
    expect(lint(text, { addresses: tunnel, sysctls: { "net.ipv4.conf.tunl0.rp_filter": "2" } })).toEqual([]);
  });
});
