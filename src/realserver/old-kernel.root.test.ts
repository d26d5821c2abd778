import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ip } from "../net/ip.ts";
import { eth, type Frame } from "../wire/build.ts";
import { addressKey, objectPath } from "./decap.ts";

/**
 * The same program on the kernel that Debian's user-mode-linux package brings (6.1), which runs as a process: its verifier must
 * take it, and its bpf_skb_adjust_room knows no flag for a change of family.
 */

const UML = "/usr/bin/linux.uml";
const BPFTOOL = "/usr/sbin/bpftool";
const missing = [UML, BPFTOOL].find((path) => !existsSync(path));

const macs = ["02:00:00:00:00:01", "02:00:00:00:00:02"] as const;
const outers: Record<string, () => Frame> = {
  ipv4: () => eth(...macs).ipv4("10.0.0.1", "10.0.0.11"),
  ipv6: () => eth(...macs).ipv6("fd00::1", "fd00::11"),
};
const inners: Record<string, (frame: Frame) => Uint8Array> = {
  ipv4: (frame) => frame.ipv4("192.0.2.7", "10.0.0.100").tcp(40000, 80, "S").bytes(),
  ipv6: (frame) => frame.ipv6("2001:db8::7", "fd00::100").tcp(40000, 80, "S").bytes(),
};
const tunnels: Record<string, (frame: Frame) => Frame> = {
  ipip: (frame) => frame,
  gre: (frame) => frame.gre({ checksum: true }),
  gue: (frame) => frame.udp(40001, 6080).gue(),
};
const addresses: [address: string, as: number][] = [["10.0.0.11", 1], ["fd00::11", 1], ["10.0.0.100", 2], ["fd00::100", 2]]; // biome-ignore format: a row
const hex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");

/** What the first process of the other kernel does; it sees this machine's files. */
const script = (folder: string, frames: readonly string[]): string => `#!/bin/sh
exec > ${folder}/log 2>&1
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t bpf bpf /sys/fs/bpf
at=/sys/fs/bpf
${BPFTOOL} prog loadall ${objectPath()} $at/programs pinmaps $at/maps && uname -r > ${folder}/loaded
${addresses.map(([address, as]) => `${BPFTOOL} map update pinned $at/maps/rs_addresses key hex ${hex(addressKey(ip(address)))} value ${as} 0 0 0`).join("\n")}
${BPFTOOL} map update pinned $at/maps/rs_gue_port key 0 0 0 0 value hex ${hex(new Uint8Array(Uint32Array.of(6080).buffer))}
for frame in ${frames.join(" ")}; do for program in rs_xdp rs_tc; do
  ${BPFTOOL} prog run pinned $at/programs/$program data_in ${folder}/$frame data_out ${folder}/$frame-$program repeat 1
done; done
sync
/sbin/halt -f -p || /sbin/poweroff -f
`;

test.skipIf(missing !== undefined)(`kernel 6.1 loads it and strips every kind of tunnel (${missing ?? "here"})`, () => {
  const folder = mkdtempSync(join(tmpdir(), "lvsd-uml-"));
  try {
    const cases = Object.entries(tunnels).flatMap(([name, tunnel]) =>
      Object.entries(outers).flatMap(([out, outer]) =>
        Object.entries(inners).map(([within, inner]) => ({
          name: `${name}-${within}-in-${out}`,
          frame: inner(tunnel(outer())),
          stripped: inner(eth(...macs)),
        })),
      ),
    );
    for (const { name, frame } of cases) writeFileSync(join(folder, name), frame);
    const init = join(folder, "init");
    writeFileSync(init, script(folder, cases.map(({ name }) => name))); // biome-ignore format: one line
    chmodSync(init, 0o755);
    execFileSync(UML, ["mem=256M", "rootfstype=hostfs", "rw", `init=${init}`, "con=null", "con0=null,fd:1"], {
      stdio: "ignore",
      timeout: 60_000,
      killSignal: "SIGKILL",
      env: { ...process.env, TMPDIR: folder },
    });
    const log = readFileSync(join(folder, "log"), "utf8");
    expect(existsSync(join(folder, "loaded")), log).toBe(true);
    expect(readFileSync(join(folder, "loaded"), "utf8")).toMatch(/^6\.1\./);
    for (const { name, stripped } of cases)
      for (const program of ["rs_xdp", "rs_tc"])
        expect([name, program, hex(readFileSync(join(folder, `${name}-${program}`)))]).toEqual([name, program, hex(stripped)]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
