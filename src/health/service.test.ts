import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Operation } from "../director/director.ts";
import { ip } from "../net/ip.ts";
import type { Check, Service } from "./config.ts";
import type { Change } from "./server.ts";
import {
  reloadService,
  type ServiceEffect,
  type ServiceState,
  startService,
  stepService,
  stopService,
  warmService,
  warmth,
} from "./service.ts";
import { check, dest, script, server, service, sorry, spec } from "./testing.ts";

const up: Change = { type: "up", isFirst: false };
const down: Change = { type: "down", isFirst: false, reason: "refused", retries: 1 };
const weight = (n: number): Change => ({ type: "weight", weight: n });

const operationText = (o: Operation): string =>
  o.op === "add-dest" || o.op === "edit-dest"
    ? `${o.op} ${o.dest.addr} ${o.dest.weight}`
    : o.op === "delete-dest"
      ? `${o.op} ${o.dest.addr}`
      : o.op;
const text = (e: ServiceEffect): string[] =>
  e.type === "apply" ? e.operations.map(operationText) : e.type === "run" ? [`run ${e.script.command[0]}`] : [];
const texts = (effects: readonly ServiceEffect[]): string[] => effects.flatMap(text);

/** Starts a service and plays changes of the first check of its servers. */
function play(
  c: Service,
  changes: readonly (readonly [server: number, change: Change])[],
): { state: ServiceState; told: string[][]; effects: ServiceEffect[] } {
  const first = startService(c, 0);
  let { state } = first;
  const all = [...first.effects];
  const told = [texts(first.effects).filter((t) => t !== "run gained")]; // see "at the start"
  for (const [at, change] of changes) {
    const step = stepService(c, state, { server: at, check: 0, change }, 0);
    state = step.state;
    all.push(...step.effects);
    told.push(texts(step.effects));
  }
  return { state, told, effects: all };
}

const three = ["add-dest 10.0.0.11 1", "add-dest 10.0.0.12 1", "add-dest 10.0.0.13 1"];
const alpha = { ...check, alpha: true };

describe("a service", () => {
  const cases: [name: string, c: Service, changes: [number, Change][], told: string[][]][] = [
    [
      "takes a server out when its check fails and puts it back with its weight",
      service({ servers: [server(11, { dest: dest("10.0.0.11", 7) }), server(12)] }),
      [
        [0, down],
        [0, up],
      ],
      [
        ["add-dest 10.0.0.11 7", "add-dest 10.0.0.12 1"],
        ["delete-dest 10.0.0.11", "run down11"],
        ["add-dest 10.0.0.11 7", "run up11"],
      ],
    ],
    ["takes servers to be up until a check has failed, and tells nobody", service(), [[0, up]], [three, []]],
    [
      "adds an alpha server at its first success",
      service({ servers: [server(11, { checks: [alpha] }), server(12)] }),
      [[0, up]],
      [["add-dest 10.0.0.12 1"], ["add-dest 10.0.0.11 1", "run up11"]],
    ],
    [
      "says that an alpha server is down when its first check fails, once",
      service({ servers: [server(11, { checks: [alpha] }), server(12)] }),
      [
        [0, down],
        [0, down],
      ],
      [["add-dest 10.0.0.12 1"], ["delete-dest 10.0.0.11", "run down11"], []],
    ],
    [
      "keeps an inhibited server with weight 0, at the start too",
      service({ servers: [server(11, { inhibit: true }), server(12, { inhibit: true, checks: [alpha] })] }),
      [
        [0, down],
        [0, up],
      ],
      [
        ["add-dest 10.0.0.11 1", "add-dest 10.0.0.12 0"],
        ["edit-dest 10.0.0.11 0", "run down11", "run lost"],
        ["edit-dest 10.0.0.11 1", "run up11", "run gained"],
      ],
    ],
    [
      "hands over to the sorry server when the last one fails, and back, scripts once each",
      service({ sorry, servers: [server(11), server(12)] }),
      [
        [0, down],
        [1, down],
        [0, up],
        [1, up],
      ],
      [
        ["add-dest 10.0.0.11 1", "add-dest 10.0.0.12 1", "delete-dest 10.0.0.99"],
        ["delete-dest 10.0.0.11", "run down11"],
        ["add-dest 10.0.0.99 1", "delete-dest 10.0.0.12", "run down12", "run lost"],
        ["add-dest 10.0.0.11 1", "delete-dest 10.0.0.99", "run up11", "run gained"],
        ["add-dest 10.0.0.12 1", "run up12"],
      ],
    ],
    [
      "takes living servers out with the quorum when there is a sorry server",
      service({ sorry, quorum: 2 }),
      [
        [0, down],
        [1, down],
        [1, up],
      ],
      [
        [...three, "delete-dest 10.0.0.99"],
        ["delete-dest 10.0.0.11", "run down11"],
        ["add-dest 10.0.0.99 1", "delete-dest 10.0.0.12", "delete-dest 10.0.0.13", "run down12", "run lost"],
        ["add-dest 10.0.0.12 1", "add-dest 10.0.0.13 1", "delete-dest 10.0.0.99", "run up12", "run gained"],
      ],
    ],
    [
      "leaves living servers where they are when there is none",
      service({ quorum: 3 }),
      [
        [0, down],
        [0, up],
      ],
      [three, ["delete-dest 10.0.0.11", "run down11", "run lost"], ["add-dest 10.0.0.11 1", "run up11", "run gained"]],
    ],
    [
      "with hysteresis loses its quorum below quorum - hysteresis and gains it at quorum + hysteresis",
      service({ quorum: 2, hysteresis: 1 }),
      [
        [0, down],
        [1, down],
        [2, down],
        [0, up],
        [1, up],
        [2, up],
      ],
      [
        three,
        ["delete-dest 10.0.0.11", "run down11"],
        ["delete-dest 10.0.0.12", "run down12"],
        ["delete-dest 10.0.0.13", "run down13", "run lost"],
        ["add-dest 10.0.0.11 1", "run up11"],
        ["add-dest 10.0.0.12 1", "run up12"],
        ["add-dest 10.0.0.13 1", "run up13", "run gained"],
      ],
    ],
    [
      "has an inhibited sorry server in the table with weight 0",
      service({ sorry: { ...sorry, inhibit: true }, servers: [server(11)] }),
      [
        [0, down],
        [0, up],
      ],
      [
        ["add-dest 10.0.0.99 0", "add-dest 10.0.0.11 1"],
        ["edit-dest 10.0.0.99 1", "delete-dest 10.0.0.11", "run down11", "run lost"],
        ["edit-dest 10.0.0.99 0", "add-dest 10.0.0.11 1", "run up11", "run gained"],
      ],
    ],
    [
      "may have one of its servers as the sorry server",
      service({
        sorry: { ...sorry, dest: dest("10.0.0.11") },
        servers: [server(11, { dest: dest("10.0.0.11", 5) }), server(12)],
      }),
      [
        [0, down],
        [1, down],
        [0, up],
      ],
      [
        ["add-dest 10.0.0.11 5", "add-dest 10.0.0.12 1"],
        ["delete-dest 10.0.0.11", "run down11"],
        ["add-dest 10.0.0.11 1", "delete-dest 10.0.0.12", "run down12", "run lost"],
        ["edit-dest 10.0.0.11 5", "run up11", "run gained"],
      ],
    ],
    [
      "starts with the sorry server when all its servers are alpha",
      service({ sorry, servers: [server(11, { checks: [alpha] })] }),
      [[0, up]],
      [
        ["add-dest 10.0.0.99 1", "delete-dest 10.0.0.11", "run lost"],
        ["add-dest 10.0.0.11 1", "delete-dest 10.0.0.99", "run up11", "run gained"],
      ],
    ],
    [
      "follows the weight that a check gives, and loses its quorum by it",
      service({ servers: [server(11)], quorum: 2 }),
      [
        [0, weight(4)],
        [0, weight(-1)],
        [0, weight(-9)],
      ],
      [["add-dest 10.0.0.11 1"], ["edit-dest 10.0.0.11 5", "run gained"], ["edit-dest 10.0.0.11 0", "run lost"], []],
    ],
    [
      "a server without checks is always alive",
      service({ servers: [server(11, { checks: [] })] }),
      [],
      [["add-dest 10.0.0.11 1"]],
    ],
  ];
  for (const [name, c, changes, told] of cases) test(name, () => expect(play(c, changes).told).toEqual(told));

  test("a server is alive only while none of its checks has failed", () => {
    const c = service({ servers: [server(11, { checks: [check, check] }), server(12)] });
    let { state } = startService(c, 0);
    const told = (
      [
        [0, down],
        [1, down],
        [0, up],
        [1, up],
      ] as const
    ).map(([at, change]) => {
      const step = stepService(c, state, { server: 0, check: at, change }, 0);
      state = step.state;
      return texts(step.effects);
    });
    expect(told).toEqual([["delete-dest 10.0.0.11", "run down11"], [], [], ["add-dest 10.0.0.11 1", "run up11"]]);
  });

  test("with omega runs the down scripts when it stops", () => {
    const stop = (omega: boolean) => {
      const c = service({ omega, servers: [server(11), server(12)] });
      return texts(stopService(c, play(c, [[0, down]]).state).effects);
    };
    expect(stop(false)).toEqual(["delete-dest 10.0.0.12"]);
    expect(stop(true)).toEqual(["delete-dest 10.0.0.12", "run down12", "run lost"]);
  });

  const starts: [name: string, more: Partial<Service>, news: string[]][] = [
    ["a quorum that is there is told", {}, ["run gained", "VS [192.0.2.1]:tcp:80 UP", "Starting with quorum up 1+0=1 <= 3"]],
    ["one that is not there yet is not told", { servers: [server(11, { checks: [alpha] })] }, []],
    [
      "one that is not there is told when a sorry server stands in",
      { servers: [server(11, { checks: [alpha] })], sorry },
      ["run lost", "VS [192.0.2.1]:tcp:80 DOWN", "Starting with quorum down 1+0=1 <= 0"],
    ],
  ];
  for (const [name, more, news] of starts) {
    test(`at the start ${name}`, () => {
      const told = startService(service({ ...more, alert: true }), 0).effects.flatMap((e) =>
        e.type === "run"
          ? [`run ${e.script.command[0]}`]
          : e.type === "tell"
            ? [e.line.trim()]
            : e.type === "mail"
              ? [e.mail.body]
              : [],
      );
      expect(told.map((line) => line.replace(/^=> (.*) <=$/, "$1"))).toEqual(news);
    });
  }

  test("mails tell of each check that changes, or of servers only; not of one that has its first verdict and does not change", () => {
    const mails = (alerts: "none" | "checks" | "changes", checks: Check[], changes: [number, Change][]): string[] => {
      const c = service({ servers: [server(11, { alerts, checks })] });
      let { state } = startService(c, 0);
      return changes.flatMap(([at, change]) => {
        const step = stepService(c, state, { server: 0, check: at, change }, 0);
        state = step.state;
        return step.effects.flatMap((e) => (e.type === "mail" ? [`${e.mail.subject.replace(/^.* - /, "")} ${e.mail.body}`] : []));
      });
    };
    const ping: Check = { ...check, type: "PING_CHECK" };
    const both: [number, Change][] = [
      [0, { ...up, isFirst: true }],
      [1, { ...down, isFirst: true }],
      [0, down],
      [0, up],
      [1, up],
    ];
    const [icmp, tcp] = ["ICMP CHECK", "TCP CHECK"].map(
      (w) => (s: string) => `${s === "succeed" ? "UP" : "DOWN"} => ${w} ${s} on service <=`,
    );
    expect(mails("none", [check, ping], both)).toEqual([]);
    expect(mails("checks", [check, ping], both)).toEqual([icmp!("failed"), tcp!("failed"), tcp!("succeed"), icmp!("succeed")]);
    expect(mails("changes", [check, ping], both)).toEqual([icmp!("failed"), icmp!("succeed")]);
    const first = (change: Change): [number, Change][] => [[0, { ...change, isFirst: true } as Change]];
    expect(mails("checks", [alpha], first(down))).toEqual([]);
    expect(mails("checks", [alpha], first(up))).toEqual([tcp!("succeed")]);
  });

  test("says what it does in keepalived's words, in its FIFO too", () => {
    const { effects } = play(service({ quorum: 2, sorry, servers: [server(11), server(12)] }), [
      [0, down],
      [0, up],
    ]);
    expect(effects.flatMap((e) => (e.type === "log" ? [e.text] : e.type === "tell" ? [e.line] : []))).toEqual([
      "Gained quorum 2+0=2 <= 2 for VS [192.0.2.1]:tcp:80",
      "VS [192.0.2.1]:tcp:80 UP\n",
      "Removing service [10.0.0.11]:tcp:80 from VS [192.0.2.1]:tcp:80",
      "Lost quorum 2-0=2 > 1 for VS [192.0.2.1]:tcp:80",
      "Adding sorry server [10.0.0.99]:tcp:80 to VS [192.0.2.1]:tcp:80",
      "Removing alive servers from the pool for VS [192.0.2.1]:tcp:80",
      "RS [10.0.0.11]:tcp:80 [192.0.2.1]:tcp:80 DOWN\n",
      "VS [192.0.2.1]:tcp:80 DOWN\n",
      "Adding service [10.0.0.11]:tcp:80 to VS [192.0.2.1]:tcp:80",
      "Gained quorum 2+0=2 <= 2 for VS [192.0.2.1]:tcp:80",
      "Removing sorry server [10.0.0.99]:tcp:80 from VS [192.0.2.1]:tcp:80",
      "Adding alive servers to the pool for VS [192.0.2.1]:tcp:80",
      "RS [10.0.0.11]:tcp:80 [192.0.2.1]:tcp:80 UP\n",
      "VS [192.0.2.1]:tcp:80 UP\n",
    ]);
  });

  test("nothing is taken away at a start that another dest of the file is by its port in the table", () => {
    const routed = server(11, { dest: { ...dest("10.0.0.11", 1, 8080), method: "route" } });
    const { effects } = startService(service({ sorry: { ...sorry, dest: dest("10.0.0.11") }, servers: [routed] }), 0);
    expect(texts(effects)).toEqual(["add-dest 10.0.0.11 1", "run gained"]);
  });

  test("a group changes all its services, each with a port of its own and dests of its family", () => {
    const specs = [
      { ...spec, key: { protocol: "tcp", addr: ip("192.0.2.1"), port: 81 } as const },
      { ...spec, key: { protocol: "tcp", addr: ip("2001:db8::1"), port: 82 } as const },
      { ...spec, key: { fwmark: 5, family: "ipv4" } as const },
    ];
    const routed = server(11, { dest: { ...dest("10.0.0.11"), method: "route" } });
    const translated = server(12, { dest: dest("10.0.0.12", 1, 8080) });
    const { effects } = startService(service({ specs, servers: [routed, translated] }), 0);
    const operations = effects.flatMap((effect) => (effect.type === "apply" ? effect.operations : []));
    const where = operations.map((o) => ("dest" in o ? `${o.key.fwmark ?? o.key.port} ${o.dest.addr}:${o.dest.port}` : ""));
    expect(where).toEqual(["81 10.0.0.11:81", "81 10.0.0.12:8080", "5 10.0.0.11:0", "5 10.0.0.12:8080"]);
  });

  test("whatever happens and whatever an earlier life has left, the operations lead to the table the state asks for", () => {
    const changes = fc.array(fc.tuple(fc.nat(2), fc.constantFrom<Change>(up, down, weight(3), weight(-1), weight(0))));
    const kinds = fc.record({
      quorum: fc.integer({ min: 1, max: 6 }),
      hysteresis: fc.constant(0),
      sorry: fc.constantFrom(undefined, sorry, { ...sorry, inhibit: true }, { ...sorry, dest: dest("10.0.0.11") }),
      servers: fc
        .tuple(fc.boolean(), fc.boolean())
        .map(([inhibit, isAlpha]) => [
          server(11, { inhibit }),
          server(12, { checks: [isAlpha ? alpha : check] }),
          server(13, { notifyUp: script("x") }),
        ]),
    });
    fc.assert(
      fc.property(kinds, changes, fc.subarray(["10.0.0.11", "10.0.0.12", "10.0.0.13", "10.0.0.99"]), (kind, list, left) => {
        const { state, effects } = play(service(kind), list);
        const table = new Map(left.map((addr) => [addr, 7]));
        const asked = new Set<string>(); // what is known to be there, or not, by what was asked for
        for (const e of effects.flatMap((effect) => (effect.type === "apply" ? effect.operations : []))) {
          if (e.op !== "add-dest" && e.op !== "edit-dest" && e.op !== "delete-dest") continue;
          if (e.op === "add-dest" && asked.has(e.dest.addr)) expect(table.has(e.dest.addr)).toBe(false);
          if (e.op === "edit-dest") expect(asked).toContain(e.dest.addr);
          if (e.op !== "add-dest" && asked.has(e.dest.addr)) expect(table.has(e.dest.addr)).toBe(true);
          asked.add(e.dest.addr);
          if (e.op === "delete-dest") table.delete(e.dest.addr);
          else table.set(e.dest.addr, e.dest.weight);
        }
        if (!asked.has("10.0.0.12")) table.delete("10.0.0.12"); // alpha, and without a verdict: it serves on
        if (kind.sorry?.dest.addr !== "10.0.0.99") table.delete("10.0.0.99"); // not this service's
        expect(table).toEqual(new Map([...state.table.values()].map((d) => [d.addr, d.weight])));
        if (kind.sorry) expect([...table.values()].some((w) => w > 0)).toBe(true);
      }),
    );
  });
});

describe("slow start", () => {
  const slow = (slowStart: number, weight = 10) =>
    service({ servers: [server(11, { slowStart, dest: dest("10.0.0.11", weight) }), server(12)] });

  /** From the recovery of the first server on: when its weight changed, and to what. */
  function warm(c: Service, begin: Change[] = [down, up], later: readonly [at: number, change: Change][] = []): string[] {
    let { state } = startService(c, 0);
    const told: string[] = [];
    const take = (step: ReturnType<typeof startService>, now: number): void => {
      state = step.state;
      told.push(
        ...texts(step.effects).flatMap((t) => (t.startsWith("run") ? [] : [`${now / 1000} ${t.replace(" 10.0.0.11", "")}`])),
      );
    };
    for (const change of begin) take(stepService(c, state, { server: 0, check: 0, change }, 0), 0);
    const left = [...later];
    for (let i = 0; i < 100; i++) {
      const at = warmth(c, state, told.length === 0 ? 0 : Number.parseFloat(told.at(-1)!) * 1000);
      const next = left[0];
      if (next !== undefined && (at === undefined || next[0] <= at)) {
        left.shift();
        take(stepService(c, state, { server: 0, check: 0, change: next[1] }, next[0]), next[0]);
      } else if (at === undefined) break;
      else take(warmService(c, state, at), at);
    }
    return told;
  }

  test("a recovered server's weight grows in a straight line, a step a second at most, and stays", () => {
    expect(warm(slow(5000))).toEqual([
      "0 delete-dest",
      "0 add-dest 1",
      ...[2, 4, 6, 8, 10].map((w, i) => `${i + 1} edit-dest ${w}`),
    ]);
    expect(warm(slow(20_000, 4))).toEqual([
      "0 delete-dest",
      "0 add-dest 1",
      "10 edit-dest 2",
      "15 edit-dest 3",
      "20 edit-dest 4",
    ]);
    expect(warm(slow(2500, 100))).toEqual([
      "0 delete-dest",
      "0 add-dest 1",
      "1 edit-dest 40",
      "2 edit-dest 80",
      "2.5 edit-dest 100",
    ]);
  });

  test("a server that is good from the first, and one of weight 1 or 0, have all of it at once", () => {
    expect(warm(slow(5000), [up])).toEqual([]);
    expect(warm(slow(5000, 1))).toEqual(["0 delete-dest", "0 add-dest 1"]);
    expect(warm(slow(5000, 0))).toEqual(["0 delete-dest", "0 add-dest 0"]);
    const first = service({
      servers: [server(11, { slowStart: 5000, dest: dest("10.0.0.11", 10), checks: [alpha] }), server(12)],
    });
    expect(warm(first, [up])).toEqual(["0 add-dest 10"]);
  });

  test("a weight that a check changes meanwhile is grown into, in the same time", () => {
    expect(warm(slow(4000), [down, up], [[1500, weight(10)]])).toEqual([
      ...["0 delete-dest", "0 add-dest 1", "1 edit-dest 2", "1.5 edit-dest 5"],
      ...["2 edit-dest 10", "3 edit-dest 15", "4 edit-dest 20"],
    ]);
    expect(warm(slow(4000), [down, up], [[1500, weight(-10)]]).slice(-1)).toEqual(["1.5 edit-dest 0"]);
  });

  test("one that fails meanwhile begins again; the quorum counts it in full", () => {
    const told = warm(
      slow(2000),
      [down, up],
      [
        [1000, down],
        [1500, up],
      ],
    );
    expect(told).toEqual([
      ...["0 delete-dest", "0 add-dest 1", "1 delete-dest", "1.5 add-dest 1", "2.5 edit-dest 5", "3.5 edit-dest 10"],
    ]);
    const c = { ...slow(2000), quorum: 11 };
    expect(play(c, [[0, down]]).state.hasQuorum).toBe(false);
    expect(
      play(c, [
        [0, down],
        [0, up],
      ]).state.hasQuorum,
    ).toBe(true);
  });

  test("a reload does not begin it again, and one that takes it away ends it", () => {
    const c = slow(10_000);
    const { state } = play(c, [
      [0, down],
      [0, up],
    ]);
    const heavier = service({ servers: [server(11, { slowStart: 10_000, dest: dest("10.0.0.11", 20) }), server(12)] });
    expect(texts(reloadService(c, state, heavier, state.servers, 5000).effects)).toEqual(["edit-dest 10.0.0.11 10"]);
    expect(texts(reloadService(c, state, slow(0), state.servers, 5000).effects)).toEqual(["edit-dest 10.0.0.11 10"]);
    expect(texts(reloadService(c, state, c, state.servers, 0).effects)).toEqual([]);
  });
});
