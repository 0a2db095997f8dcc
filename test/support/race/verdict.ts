/** Judges a race by its log: the commits in order of version are the serial order that must explain every state. */
import { expect } from "vitest";
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import type { DeltaTable } from "../../../lakehouse/delta/table.ts";
import type { DuckDb } from "../../../lakehouse/duckdb/duckdb.ts";
import { sortedRows } from "../table-model.ts";
import { modelSql, RACE_SCHEMA } from "./operations.ts";
import type { Told } from "./rival.ts";

/**
 * Every version equals the model after the operations up to it, each operation landed at most once, and those that
 * were told `done` and change something landed.
 */
export async function judge(table: DeltaTable, duckdb: DuckDb, told: readonly Told[]): Promise<void> {
  const operations = new Map(told.map((t) => [t.tag, t]));
  const history = (await table.history()).reverse();
  expect(history.map((entry) => entry.version)).toEqual(history.map((_, i) => i));
  const columns = RACE_SCHEMA.fields.map((f) => f.name);
  const session = await duckdb.session();
  try {
    await session.run("CREATE TABLE model (key INTEGER, value BIGINT, tag VARCHAR)");
    const landed = new Set<string>();
    for (const { version, userMetadata: tag, operation: name } of history) {
      const entry = tag === undefined ? undefined : operations.get(tag);
      if (tag !== undefined && entry === undefined)
        throw new Error(`version ${version} is of nobody: ${tag}`);
      if (entry !== undefined) {
        // An optimise may take several commits.
        if (entry.operation.kind !== "optimize")
          expect(landed.has(entry.tag), `${entry.tag} landed twice`).toBe(false);
        landed.add(entry.tag);
        await session.run(modelSql(entry.operation, entry.tag));
      }
      const rows = await scanSql(table.store, scannable(await table.existingSnapshot(version)));
      expect(await sortedRows(session, rows, columns), `version ${version}, ${name} of ${tag}`).toEqual(
        await sortedRows(session, "FROM model", columns),
      );
    }
    for (const { tag, operation, outcome } of told) {
      const always = ["append", "overwrite", "replace", "merge", "grow"].includes(operation.kind);
      if (outcome === "done" && always)
        expect(landed.has(tag), `${tag} was acknowledged and is lost`).toBe(true);
    }
  } finally {
    await session.close();
  }
}
