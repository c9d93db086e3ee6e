import { defineConfig } from "vitest/config";

const report = process.env.AUTOLLM_TEST_REPORT;

export default defineConfig({
  test: {
    // Vitest leaves one processor to itself: on two, half of the machine would wait.
    maxWorkers: "100%",
    // The report is for .ci/run, which adds up what passed and failed.
    reporters: report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]],
    coverage: {
      include: ["components/**/*.ts", "policies/**/*.ts", "services/backup/**/*.ts", "tools/lib/**/*.ts"],
      // Not services/reference: the stand-ins are there to try the platform with, and run in the end-to-end tests alone.
      thresholds: { lines: 80 },
    },
    projects: [
      // The limits only end what hangs: a busy machine is no fault.
      { test: { name: "unit", include: ["test/unit/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000 } },
      { test: { name: "policies", include: ["test/policies/**/*.test.ts"], testTimeout: 60_000 } },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 1_800_000,
          hookTimeout: 900_000,
        },
      },
    ],
  },
});
