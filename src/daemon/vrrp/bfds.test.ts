import { expect, test } from "vitest";
import { parseText } from "../../config/parse.ts";
import { Bfds } from "./bfds.ts";
import { fromConfig } from "./from-config.ts";

const instance = (name: string, vrid: number, track: string): string => `vrrp_instance ${name} {
  interface lo
  virtual_router_id ${vrid}
  virtual_ipaddress {
    10.9.0.${vrid}
  }
  ${track}
}`;
const bfd = (name: string, words = ""): string => `bfd_instance ${name} {
  neighbor_ip 10.9.0.${name.length}
  ${words}
}`;
const config = fromConfig(
  parseText(
    [
      bfd("B"),
      bfd("BB", "weight -20"),
      bfd("BBB", "checker"),
      `vrrp_sync_group G {
  group {
    VI_2
    VI_3
  }
  track_bfd {
    B
    BB weight 3
  }
}`,
      instance("VI_1", 1, "track_bfd {\n B\n BB weight 5 reverse\n BBB\n }"),
      instance("VI_2", 2, "track_bfd {\n BB\n }"),
      instance("VI_3", 3, ""),
    ].join("\n"),
  ).config,
);

test("the file says who tracks which session; one that tells only the checkers is not tracked", () => {
  expect(config.bfds).toEqual([
    { name: "B", weight: { weight: 0, reverse: false } },
    { name: "BB", weight: { weight: -20, reverse: false } },
  ]);
  expect(config.instances.map(({ track }) => track.bfds)).toEqual([
    [
      { name: "B", weight: undefined },
      { name: "BB", weight: { weight: 5, reverse: true } },
    ],
    [], // a member's weight does not count in a group
    [],
  ]);
  expect(config.groups[0]!.track.bfds).toEqual([
    { name: "B", weight: undefined },
    { name: "BB", weight: { weight: 3, reverse: false } },
  ]);
});

test("what turns is told of once for each who tracks it", () => {
  const bfds = new Bfds();
  expect(bfds.isUp("B")).toBeUndefined();
  expect(bfds.tell([], config)).toEqual([]);
  expect(bfds.isUp("B")).toBe(false);
  expect(bfds.tell([], config)).toBeUndefined();
  expect(bfds.tell(["B"], config)).toEqual([
    "VRRP_Instance(VI_1) Tracked BFD instance B is UP",
    "VRRP_Instance(VI_2) Tracked BFD instance B is UP",
    "VRRP_Instance(VI_3) Tracked BFD instance B is UP",
  ]);
  expect(bfds.tell(["BB"], config)).toEqual([
    "VRRP_Instance(VI_1) Tracked BFD instance B is DOWN",
    "VRRP_Instance(VI_2) Tracked BFD instance B is DOWN",
    "VRRP_Instance(VI_3) Tracked BFD instance B is DOWN",
    "VRRP_Instance(VI_1) Tracked BFD instance BB is UP",
    "VRRP_Instance(VI_2) Tracked BFD instance BB is UP",
    "VRRP_Instance(VI_3) Tracked BFD instance BB is UP",
  ]);
});
