import { expect, test } from "vitest";
import { ip } from "../../net/ip.ts";
import { mac } from "../../net/mac.ts";
import { untuned } from "../../tuning.ts";
import type { Heard } from "../../vrrp/accept.ts";
import type { Instance, VrrpConfig } from "../../vrrp/config.ts";
import { standardGlobals } from "../../vrrp/config.ts";
import { instance } from "../../vrrp/testing.ts";
import { plainAddress } from "../../wire/rtnetlink-client.ts";
import { vridOf } from "../../wire/vrrp.ts";
import { openVrrpIpv4 } from "../../wire/vrrp-packet.ts";
import type { Listen } from "./ports.ts";
import { VrrpRunner } from "./runner.ts";
import { chance, type Dialect, dialects, mayBeTaken, mutant, PASSWORD, VRID } from "./testing/mutants.ts";

/**
 * From the bytes of a packet to the state of an instance: no crash, and nothing of what is no advert changes anything.
 * LVSD_FULL=1: a million packets; LVSD_SEED: other ones.
 */

const COUNT = process.env.LVSD_FULL === "1" ? 1_000_000 : 20_000;
const SEED = Number(process.env.LVSD_SEED ?? 1);
const statics = { addresses: [], routes: [], rules: [] };

const dialectOf = (dialect: Dialect): Partial<Instance> => ({
  version: dialect === "v3" ? 3 : 2,
  auth: { type: dialect === "v2 PASS" ? "pass" : dialect === "v2 AH" ? "ah" : "none", password: PASSWORD },
});

/** One instance, whose world is a counter of what it does. */
class Rig {
  now = 0;
  wakeAt: number | undefined;
  /** What it has sent, taken, released, told. */
  deeds = 0;
  readonly #hears = new Map<boolean, (vrid: number, heard: Heard) => void>();
  readonly runner: VrrpRunner;

  constructor(dialect: Dialect) {
    const deed = (): void => void this.deeds++;
    const link = {
      ...{ ifindex: 2, name: "eth0", flags: 0x10041, hardware: 1, mac: mac("02:00:00:00:00:01") },
      ...{ mtu: 1500, master: 0, lower: 0, kind: "veth" },
    };
    const config: VrrpConfig = {
      ...{ instances: [{ ...instance, vrid: VRID, ...dialectOf(dialect) }], groups: [], scripts: [], files: [], processes: [] },
      ...{
        fifos: [],
        statics,
        scriptSecurity: false,
        startupDelay: 0,
        garpInterval: 0,
        gnaInterval: 0,
        tuning: untuned,
        globals: standardGlobals,
      },
    } as unknown as VrrpConfig;
    this.runner = new VrrpRunner(config, {
      now: () => this.now,
      wakeAt: (at: number | undefined) => {
        this.wakeAt = at;
      },
      network: {
        ...{ links: () => [link], refresh() {}, watchRoutes() {}, changeLink() {}, close() {}, client: undefined as never },
        held: () => ({ addresses: [plainAddress(2, ip("10.9.0.1"), 24)], routes: [], rules: [] }),
        apply: deed,
      },
      announcer: { ...{ setPace() {}, drop() {}, pump: () => undefined, close() {} }, announce: deed },
      firewall: { refuse() {}, close() {} },
      trackers: () => ({ look: () => ({ weight: { weight: 0, reverse: false }, value: true }), close() {} }),
      isRouter: () => false,
      tell: deed,
      log() {},
      openSender: () => ({ send: deed, close() {} }),
      openReceiver: ({ ah }: Listen, onPacket: (vrid: number, heard: Heard) => void) => {
        this.#hears.set(ah, onPacket);
        return { join() {}, drain() {}, close() {} };
      },
    } as unknown as ConstructorParameters<typeof VrrpRunner>[1]);
    this.runner.start();
  }

  get unit() {
    return this.runner.units.get("VI_1")!;
  }

  /** As ports.ts does it. */
  receive(packet: Uint8Array): void {
    const carried = openVrrpIpv4(packet);
    if (typeof carried === "string") return;
    const { src: from, dst: to, ttl, message, ah } = carried;
    const vrid = vridOf(message);
    if (vrid !== undefined) this.#hears.get(ah !== undefined)?.(vrid, { from, to, ttl, message, packet, ah });
  }

  /** Master or backup, in turn. */
  become(wanted: "master" | "backup"): void {
    if (this.unit.state.name === wanted) return;
    if (wanted === "backup") {
      this.runner.stop();
      this.runner.start();
      return;
    }
    this.now += 1e6;
    this.runner.wake();
  }
}

for (const dialect of dialects) {
  test(`${COUNT / dialects.length} random and mutated packets, ${dialect}: none that is no advert changes anything`, {
    timeout: 600_000,
  }, () => {
    const rig = new Rig(dialect);
    const below = chance(SEED);
    const counts = { taken: 0, invalid: 0, moved: 0 };
    for (let n = 0; n < COUNT / dialects.length; n++) {
      if (n % 50 === 0) rig.become(n % 100 === 0 ? "master" : "backup");
      const packet = mutant(dialect, below, n + 1);
      const [state, deeds] = [rig.unit.state, rig.deeds];
      rig.receive(packet);
      const isSame = rig.unit.state === state && rig.deeds === deeds;
      if (mayBeTaken(dialect, packet)) counts.taken++;
      else {
        counts.invalid++;
        if (!isSame) throw new Error(`seed ${SEED}, packet ${n}: ${Buffer.from(packet).toString("hex")} changed something`);
      }
      if (!isSame) counts.moved++;
      if (rig.now < 1e15) rig.now += 1;
    }
    console.info(
      `${dialect}: ${counts.invalid} were no adverts, ${counts.taken} were, of which ${counts.moved} changed something`,
    );
    expect(counts.moved).toBeGreaterThan(0);
    expect(counts.taken).toBeGreaterThan(COUNT / dialects.length / 100);
  });
}
