import { expect } from "vitest";
import type { Lake } from "../../lakehouse/lake.ts";
import { load } from "../../layers/bronze/ingest.ts";
import { keepUp } from "../../layers/bronze/keep-up.ts";
import { type PipelineDefinition, type PostgresSource, postgres } from "../../layers/definition/pipeline.ts";
import { bronzeChanges, bronzeRows, sourceRows } from "../support/bronze-state.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { ingestContext, newLake } from "../support/lake.ts";
import { type TestDatabase, useDatabase } from "../support/postgres.ts";

/** A pipeline that captures; slots belong to the cluster, so each gets a name of its own. */
export function captured(
  tables: PostgresSource["tables"],
  options: Partial<PostgresSource> = {},
): PipelineDefinition {
  const name = `t_${crypto.randomUUID().slice(0, 8)}`;
  return { name, source: postgres({ changes: "wal", tables, ...options }) };
}

/** What is done with a database and the lake that captures it; the lake may be another one each time. */
export function capturing(database: TestDatabase, lake: () => Lake) {
  const context = () => ingestContext(lake(), database.url);
  const dropSlot = ({ name }: PipelineDefinition) =>
    database.query(
      "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1",
      [`ingot_${name}`],
    );
  /** The rows of source and bronze, for `toEqual`. */
  const both = async (
    pipeline: PipelineDefinition,
    table: string,
    columns: readonly string[],
    source = table,
  ) => ({
    bronze: await bronzeRows(lake(), `${pipeline.name}/bronze/${table}`, columns),
    source: await sourceRows(database, source, columns),
  });
  return {
    context,
    dropSlot,
    both,
    load: (pipeline: PipelineDefinition) => load(context(), pipeline),
    sync: (pipeline: PipelineDefinition) => keepUp(context(), pipeline),
    tableOf: ({ name }: PipelineDefinition, table: string) => lake().table(`${name}/bronze/${table}`),
    /** All rows of a bronze table, in the order of their changes. */
    changesOf: ({ name }: PipelineDefinition, table: string) =>
      bronzeChanges(lake(), `${name}/bronze/${table}`),
    /** Bronze amounts to what the source has. */
    expectSame: async (...table: Parameters<typeof both>): Promise<void> => {
      const { bronze, source } = await both(...table);
      expect(bronze).toEqual(source);
    },
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
    /** Runs work, and then lets the slot begin again where it was before, as if no acknowledgement had arrived. */
    unacknowledged: async (pipeline: PipelineDefinition, work: () => Promise<unknown>): Promise<void> => {
      const slot = `ingot_${pipeline.name}`;
      await database.query("SELECT pg_copy_logical_replication_slot($1::text, $1::text || '_copy')", [slot]);
      await work();
      await dropSlot(pipeline);
      await database.query("SELECT pg_copy_logical_replication_slot($1::text || '_copy', $1)", [slot]);
      await database.query("SELECT pg_drop_replication_slot($1::text || '_copy')", [slot]);
    },
  };
}

/** A database and one lake that captures it, for the test file or suite that calls this. */
export async function useCapture() {
  const duckdb = await useDuckDb();
  const folder = useFolder();
  const database = useDatabase();
  const lake = newLake(folder.path, duckdb);
  return { duckdb, folder, database, lake, ...capturing(database, () => lake) };
}
