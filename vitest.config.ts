import { defineConfig } from "vitest/config";

/** A file for a machine-readable report beside what is printed. */
const report = process.env.INGOT_TEST_REPORT;

export default defineConfig({
  resolve: { alias: { ingot: new URL("./index.ts", import.meta.url).pathname } },
  test: {
    setupFiles: ["test/support/property-seed.ts"],
    include: ["test/**/*.test.ts", "pipelines/**/*.test.ts"],
    pool: "forks",
    // One more than two cores: many tests wait for servers, for clocks, for processes that they killed.
    maxWorkers: 3,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // DuckDB queries wait in threads of libuv's pool; see bin/ingot.cjs.
    env: { UV_THREADPOOL_SIZE: "16" },
    reporters: report ? ["default", "json"] : ["default"],
    ...(report ? { outputFile: { json: report } } : {}),
  },
});
