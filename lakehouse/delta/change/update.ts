/** UPDATE: rows that fulfil a condition get new values. */
import { identifier } from "../../duckdb/quote.ts";
import { TerminalError } from "../../errors.ts";
import { attempt } from "../attempt.ts";
import { existingField } from "../evolve.ts";
import { scannable, scanSql } from "../scan.ts";
import { duckdbType, type StructType } from "../schema.ts";
import type { DeltaTable } from "../table.ts";
import { applyRowChanges } from "./apply.ts";
import { commitChanges } from "./delete.ts";
import { selectAll, selectFiles } from "./select-files.ts";
import { FILE, inWorkspace, KIND, ROW } from "./workspace.ts";

export interface UpdateResult {
  readonly version: number | undefined;
  readonly updatedRows: number;
}

/** New values by column: SQL over the columns of the row as it was. */
export type Assignments = Readonly<Record<string, string>>;

/** Sets columns of the rows for which `where` is true; of all rows without it. */
export async function updateRows(table: DeltaTable, set: Assignments, where?: string): Promise<UpdateResult> {
  if (Object.keys(set).length === 0) {
    throw new TerminalError("an update sets at least one column", { code: "DELTA_BAD_UPDATE", value: "{}" });
  }
  const done = await attempt(table.store.root, async () => {
    const base = await table.existingSnapshot();
    const selection = where === undefined ? selectAll(base) : await selectFiles(table.duckdb, base, where);
    const files = [...selection.files, ...selection.whole];
    const scan = await scanSql(
      table.store,
      { ...scannable(base), files },
      { fileIndex: FILE, rowIndex: ROW },
    );
    return inWorkspace(table.duckdb, undefined, async (workspace) => {
      const { session, name } = workspace;
      const [touched, written] = [name("touched"), name("written")];
      await session.run(
        `CREATE TABLE ${written} AS SELECT ${FILE}, ${ROW}, 'update' AS ${KIND}, ${assignedSql(base.schema, set)} FROM (${scan}) WHERE (${where ?? "true"}\n)`,
      );
      await session.run(`CREATE VIEW ${touched} AS SELECT ${FILE}, ${ROW}, ${KIND} FROM ${written}`);
      const applied = await applyRowChanges(table, workspace, base, { files, touched, written, after: base });
      if (applied.touchedRows === 0) return undefined;
      const outcome = await commitChanges(table, base, applied, {
        operation: "UPDATE",
        operationParameters: { predicate: where === undefined ? "[]" : JSON.stringify([where]) },
        metrics: { ...applied.metrics, numUpdatedRows: String(applied.touchedRows) },
        reads: selection.reads,
      });
      return { outcome, updatedRows: applied.touchedRows };
    });
  });
  return { version: done?.version, updatedRows: done?.updatedRows ?? 0 };
}

/** The columns of a row after assignments, each under its name. */
function assignedSql(schema: StructType, set: Assignments): string {
  const byName = new Map(
    Object.entries(set).map(([column, sql]) => [existingField(schema, column).name, sql]),
  );
  const columns = schema.fields.map(
    (f) => `(${byName.get(f.name) ?? identifier(f.name)}\n)::${duckdbType(f.type)} AS ${identifier(f.name)}`,
  );
  return columns.join(", ");
}
