import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** A file for a machine-readable report beside what is printed. */
const report = process.env.INGOT_TEST_REPORT;

/** Those that take a minute or so begin first: none of them is left alone at the end. */
const LONG = [
  "interop/spark",
  "schedule/kill",
  "s3/commerce",
  "models/graph-random",
  "models/graph",
  "test/crash",
  "backfill/property",
  "publish/chaos",
  "s3/by-hand",
  "models/scd2",
  "s3/faults",
  "observe/alerts-watch",
  "bronze/load-resume",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONG.findIndex((name) => moduleId.includes(`${name}.test`));
      return at < 0 ? LONG.length : at;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  resolve: { alias: { ingot: new URL("./index.ts", import.meta.url).pathname } },
  test: {
    setupFiles: ["test/support/property-seed.ts"],
    include: ["test/**/*.test.ts", "pipelines/**/*.test.ts"],
    pool: "forks",
    sequence: { sequencer: LongestFirst },
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
