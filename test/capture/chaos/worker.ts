/** A process that captures until it is killed. Its instructions come as JSON in the first argument. */
import { z } from "zod";
import { DuckDb } from "../../../lakehouse/duckdb/duckdb.ts";
import { TransientError } from "../../../lakehouse/errors.ts";
import { Lake } from "../../../lakehouse/lake.ts";
import { ignoreProgress } from "../../../lakehouse/progress.ts";
import { LocalStore } from "../../../lakehouse/store/local.ts";
import { follow } from "../../../layers/bronze/follow.ts";
import { keepUp } from "../../../layers/bronze/keep-up.ts";
import {
  type PipelineDefinition,
  type PostgresSource,
  postgres,
} from "../../../layers/definition/pipeline.ts";
import { faultyStore, randomFaults } from "../../support/faulty-store.ts";

const instructions = z.object({
  url: z.string(),
  lake: z.string(),
  name: z.string(),
  tables: z.custom<PostgresSource["tables"]>((value) => typeof value === "object"),
  seed: z.number(),
  follow: z.boolean(),
});

const {
  url,
  lake: folder,
  name,
  tables,
  seed,
  ...how
} = instructions.parse(JSON.parse(process.argv[2] ?? ""));
const duckdb = await DuckDb.open({ memoryMb: 128, threads: 1 });
// Writes that fail, and that happen and are said to have failed. Each commit is told.
const faults = randomFaults(seed, { failBefore: 0.04, failAfter: 0.02 }, ["putIfAbsent", "putFile", "put"]);
const tell = async () => {
  process.stdout.write("commit\n");
};
const store = faultyStore(new LocalStore(folder), (call) =>
  call.method === "putIfAbsent" ? { ...faults(call), after: tell } : faults(call),
);
const lake = new Lake(store, duckdb);
const pipeline: PipelineDefinition = { name, source: postgres({ changes: "wal", tables }) };
const context = { lake, connectionString: url, concurrency: 2, onProgress: ignoreProgress };
process.stdout.write("begun\n");
for (;;) {
  try {
    if (how.follow) {
      const signal = new AbortController().signal;
      await follow(context, pipeline, { signal, limits: { rows: 200, bytes: 20_000, milliseconds: 20 } });
    }
    await keepUp(context, pipeline);
  } catch (error) {
    // What a scheduler does: it runs the same command again.
    if (!(error instanceof TransientError)) throw error;
  }
}
