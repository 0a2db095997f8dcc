import type { Lake } from "../../lakehouse/lake.ts";
import { load } from "../../layers/bronze/ingest.ts";
import { keepUp } from "../../layers/bronze/keep-up.ts";
import { type PipelineDefinition, type PostgresSource, postgres } from "../../layers/definition/pipeline.ts";
import { bronzeRows, sourceRows } from "../support/bronze-state.ts";
import { ingestContext } from "../support/lake.ts";
import type { TestDatabase } from "../support/postgres.ts";

/** A pipeline that captures; slots belong to the cluster, so each gets a name of its own. */
export function captured(
  tables: PostgresSource["tables"],
  options: Partial<PostgresSource> = {},
): PipelineDefinition {
  const name = `t_${crypto.randomUUID().slice(0, 8)}`;
  return { name, source: postgres({ changes: "wal", tables, ...options }) };
}

/** Loads, syncs, and drops the slot that came of it. */
export function capturing(database: TestDatabase, lake: () => Lake) {
  const context = () => ingestContext(lake(), database.url);
  return {
    load: (pipeline: PipelineDefinition) => load(context(), pipeline),
    sync: (pipeline: PipelineDefinition) => keepUp(context(), pipeline),
    dropSlot: (pipeline: PipelineDefinition) =>
      database.query(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1",
        [`ingot_${pipeline.name}`],
      ),
    /** Creates tables, loads them, and takes slot and publications away after the work. */
    withTables: async (
      sql: string,
      pipeline: PipelineDefinition,
      work: (pipeline: PipelineDefinition) => Promise<void>,
    ): Promise<void> => {
      await database.query(sql);
      try {
        await load(context(), pipeline);
        await work(pipeline);
      } finally {
        const { name } = pipeline;
        await database.query(
          "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name LIKE $1",
          [`ingot_${name}%`],
        );
        await database.query(
          `DROP PUBLICATION IF EXISTS ingot_${name}; DROP PUBLICATION IF EXISTS ingot_${name}_inserts`,
        );
      }
    },
    /** The rows of source and bronze, for `toEqual`. */
    both: async (
      pipeline: PipelineDefinition,
      table: string,
      columns: readonly string[],
      source = table,
    ) => ({
      bronze: await bronzeRows(lake(), `${pipeline.name}/bronze/${table}`, columns),
      source: await sourceRows(database, source, columns),
    }),
  };
}
