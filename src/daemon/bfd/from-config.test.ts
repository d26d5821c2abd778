import { expect, test } from "vitest";
import { parseText } from "../../config/parse.ts";
import { untuned } from "../../tuning.ts";
import { fromConfig } from "./from-config.ts";

const read = (text: string) => fromConfig(parseText(text).config);

test("an instance has keepalived's defaults, by family", () => {
  const { sessions, tuning } = read("bfd_instance A {\n neighbor_ip 10.0.0.1\n}\nbfd_instance B {\n neighbour_ip 2001:db8::1\n}");
  expect(sessions).toEqual([
    {
      ...{ name: "A", neighbour: "10.0.0.1", source: undefined, minRx: 10, minTx: 10, idleTx: 1000, multiplier: 5 },
      ...{ passive: false, multihop: false, ttl: 255, maxHops: 0, tells: { vrrp: true, checker: true } },
    },
    expect.objectContaining({ name: "B", neighbour: "2001:db8::1", ttl: 64 }),
  ]);
  expect(tuning).toEqual(untuned);
});

test("every word of an instance is carried out", () => {
  const words =
    "min_rx 3.312\n min_tx 20\n idle_tx 2000\n multiplier 3\n passive\n ttl 250\n max_hops 2\n checker\n source_ip 10.0.0.2";
  const { sessions, tuning } = read(
    `global_defs {\n bfd_rt_priority 20\n bfd_process_name b\n}\nbfd_instance A {\n neighbor_ip 10.0.0.1\n ${words}\n}`,
  );
  expect(sessions).toEqual([
    {
      ...{ name: "A", neighbour: "10.0.0.1", source: "10.0.0.2", minRx: 3.312, minTx: 20, idleTx: 2000, multiplier: 3 },
      ...{ passive: true, multihop: false, ttl: 250, maxHops: 2, tells: { vrrp: false, checker: true } },
    },
  ]);
  expect(tuning).toMatchObject({ realTime: 20, name: "b" });
});

test("over several hops any number may be lost, unless it is limited", () => {
  const hops = (words: string): number =>
    read(`bfd_instance A {\n neighbor_ip 10.0.0.1\n multihop\n ${words}\n}`).sessions[0]!.maxHops;
  expect([hops(""), hops("max_hops 3")]).toEqual([255, 3]);
});

test("no more hops may be lost than there are", () => {
  const hops = (words: string): number => read(`bfd_instance A {\n neighbor_ip ${words}\n}`).sessions[0]!.maxHops;
  expect([hops("10.0.0.1\n max_hops -1"), hops("::1\n max_hops 100"), hops("::1\n max_hops -1\n hoplimit 9")]).toEqual([
    255, 64, 9,
  ]);
});

test("an instance whose ends are of two families is left out", () => {
  expect(read("bfd_instance A {\n neighbor_ip 10.0.0.1\n source_ip ::1\n}").sessions).toEqual([]);
});

test("of two with one name or one neighbour the first counts", () => {
  const bfd = (name: string, to: string): string => `bfd_instance ${name} {\n neighbor_ip ${to}\n}\n`;
  const from = (source: string): string => `\n source_ip ${source}`;
  const { sessions } = read(
    [
      ...[bfd("A", "10.0.0.1"), bfd("A", "10.0.0.2"), bfd("B", "10.0.0.1"), bfd("C", "10.0.0.3")],
      ...[bfd("D", `10.0.0.4${from("10.0.0.8")}`), bfd("E", `10.0.0.4${from("10.0.0.9")}`), bfd("F", "10.0.0.4")],
    ].join(""),
  );
  const told = sessions.map(({ name, neighbour }) => `${name} ${neighbour}`);
  expect(told).toEqual(["A 10.0.0.1", "C 10.0.0.3", "D 10.0.0.4", "E 10.0.0.4"]);
});
