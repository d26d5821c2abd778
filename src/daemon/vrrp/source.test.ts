import { expect, test } from "vitest";
import { ip } from "../../net/ip.ts";
import { instance } from "../../vrrp/testing.ts";
import type { InterfaceAddress } from "../../wire/rtnetlink-address.ts";
import { sourceOf, virtualOf } from "./source.ts";

const link = { ifindex: 2, name: "eth0", flags: 1, hardware: 1, mac: undefined, mtu: 1500, master: 0, lower: 0, kind: "" };
const at = (address: string): InterfaceAddress => ({
  ...{ family: "ipv4", ifindex: 2, address: ip(address), prefixLength: 32, peer: undefined, broadcast: undefined },
  ...{ scope: 0, flags: 0x80, label: "", preferredSeconds: 0, validSeconds: 0 },
});
const other = { ...instance, name: "VI_2", addresses: [{ ...instance.addresses[0]!, ip: ip("10.0.0.200") }] };
const there = [at("10.0.0.200"), at("10.0.0.100"), at("10.0.0.1")];

test("adverts leave from no virtual address, not even that of another instance which comes first", () => {
  expect(sourceOf(instance, link, there, virtualOf([instance, other]))).toBe("10.0.0.1");
});

test("an owner's address may be the interface's own", () => {
  const owner = { ...instance, priority: 255 };
  expect(sourceOf(owner, link, [at("10.0.0.100")], virtualOf([owner, other]))).toBe("10.0.0.100");
});

test("the address that the file names is used once it is there, whatever it is", () => {
  const named = { ...instance, source: ip("10.0.0.200") };
  expect(sourceOf(named, link, there, virtualOf([instance, other]))).toBe("10.0.0.200");
  expect(sourceOf(named, link, [at("10.0.0.1")], virtualOf([instance, other]))).toBeUndefined();
});
