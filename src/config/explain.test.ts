import { describe, expect, test } from "vitest";
import { explainWord, nearestWord, wordText } from "./explain.ts";

const places = (query: string): string[] => explainWord(query).map(({ path }) => path.join(" "));

describe("the table explains", () => {
  test("a word with its range, its default, its meaning and its block", () => {
    expect(wordText(explainWord("virtual_router_id"))).toMatchInlineSnapshot(`
      "virtual_router_id N (1..255)
        The VRID, the same on all routers. Required.
        in       vrrp_instance
      "
    `);
  });

  test("every place of a word", () => {
    expect(places("alpha")).toContain("virtual_server real_server TCP_CHECK");
    expect(places("alpha")).toContain("virtual_server");
  });

  test("equal meanings in many blocks once", () => {
    const text = wordText(explainWord("connect_port"));
    expect(text.match(/^connect_port/gm)?.length).toBe(1);
    expect(text).toContain("virtual_server › real_server › DNS_CHECK\n");
  });

  test("one place, when blocks are named before the word", () => {
    expect(places("TCP_CHECK.alpha")).toEqual(["virtual_server real_server TCP_CHECK"]);
    expect(places("vrrp_sync_group notify")).toEqual(["vrrp_sync_group"]);
  });

  test("a block with its words", () => {
    expect(wordText(explainWord("garp_group"))).toContain("  words    ");
  });

  test("an old name by its new one", () => {
    expect(explainWord("lvs_sched").map(({ word }) => word)).toEqual(["lb_algo"]);
  });

  test("nothing about a word that is none, but which one was meant", () => {
    expect(explainWord("prioritty")).toEqual([]);
    expect(nearestWord("prioritty")).toBe("priority");
    expect(nearestWord("tcp_check")).toBe("TCP_CHECK");
  });
});
