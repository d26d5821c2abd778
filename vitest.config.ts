import { defineConfig } from "vitest/config";

/** Ours beside Debian's keepalived on one wire: elections and take-overs, which take their time. */
const peers = ["src/daemon/vrrp/*.root.test.ts", "src/daemon/bfd/*.root.test.ts"];

/**
 * Real time, real programs and a machine shared with others: a failure counts when it comes twice in a row; vitest names what
 * needed a second go.
 */
const patience = { retry: 1, testTimeout: 120_000, hookTimeout: 120_000 } as const;

/** Those that must not share the machine. */
const alone = ["src/daemon/vrrp/load.root.test.ts", "src/daemon/keepalived/big.root.test.ts", "bench/failover/failover.test.ts"];

/** `unit` needs no root; the others need root, BPF and network namespaces, and run one file at a time. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "scripts/**/*.test.ts", "kernels/**/*.test.ts", "conformance/**/*.test.ts"],
          exclude: ["src/**/*.root.test.ts", "conformance/**/*.root.test.ts"],
        },
      },
      {
        test: {
          name: "root",
          include: [
            ...["src/**/*.root.test.ts", "conformance/**/*.root.test.ts"],
            ...["cases/**/*.test.ts", "bench/**/*.test.ts"],
          ],
          exclude: [...peers, ...alone],
          fileParallelism: false,
          ...patience,
        },
      },
      { test: { name: "lab", include: ["lab/**/*.test.ts"], fileParallelism: false, ...patience } },
      { test: { name: "alone", include: alone, fileParallelism: false, ...patience } },
      {
        test: {
          name: "peers",
          include: peers,
          exclude: alone,
          fileParallelism: false,
          ...patience,
        },
      },
    ],
  },
});
