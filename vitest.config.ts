import { defineConfig } from "vitest/config";

/** `unit` needs no root; `bpf` and `lab` need root, BPF and network namespaces, and run one file at a time. */
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
            ...["cases/**/*.test.ts", "lab/**/*.test.ts", "bench/**/*.test.ts"],
          ],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
