/** Writing the change data feed: the rows of an operation as they were and as they became (PROTOCOL.md, "Change Data Files"). */
import { identifiers } from "../../duckdb/quote.ts";
import type { Action } from "../actions.ts";
import { layoutOf } from "../layout.ts";
import { scannable, scanSql } from "../scan.ts";
import { field, typedColumns } from "../schema.ts";
import type { Snapshot } from "../snapshot.ts";
import type { DeltaTable } from "../table.ts";
import type { RowChanges } from "./row-changes.ts";
import { FILE, KIND, ROW, type Workspace } from "./workspace.ts";

/** Folder of the files of the feed. */
export const CHANGE_FOLDER = "_change_data/";
/** The column that says what happened to a row. */
export const CHANGE_TYPE = "_change_type";

/** Whether commits of this table must carry their row changes. */
export function keepsChanges({ metadata }: Pick<Snapshot, "metadata">): boolean {
  return metadata.configuration["delta.enableChangeDataFeed"] === "true";
}

/**
 * Stages the changes of one commit: rows that go or change as they were, changed rows as they became, and new rows.
 */
export async function stageChanges(
  table: DeltaTable,
  { session }: Workspace,
  base: Snapshot,
  { files, touched, former, written, added = [], after }: RowChanges,
): Promise<Action[]> {
  const scan = () => scanSql(table.store, { ...scannable(base), files }, { fileIndex: FILE, rowIndex: ROW });
  const were = former ?? `(${await scan()}) JOIN ${touched} USING (${FILE}, ${ROW})`;
  const before = typedColumns(after.schema.fields, base.schema.fields);
  const columns = identifiers(after.schema.fields.map((f) => f.name));
  const parts = [
    `SELECT ${before}, CASE ${KIND} WHEN 'delete' THEN 'delete' ELSE 'update_preimage' END AS ${CHANGE_TYPE}
       FROM ${were}`,
  ];
  if (written !== undefined) {
    const typed = typedColumns(after.schema.fields);
    parts.push(
      `SELECT ${typed}, CASE ${KIND} WHEN 'insert' THEN 'insert' ELSE 'update_postimage' END AS ${CHANGE_TYPE} FROM ${written}`,
    );
  }
  if (added.length > 0) {
    const rows = await scanSql(table.store, { ...scannable({ ...base, ...after }), files: added });
    parts.push(`SELECT ${columns}, 'insert' AS ${CHANGE_TYPE} FROM (${rows})`);
  }
  const schema = { ...after.schema, fields: [...after.schema.fields, field(CHANGE_TYPE, "string")] };
  const layout = { ...layoutOf(after.metadata, schema), indexedColumns: 0 };
  const staged = await table.stageAs(session, parts.join(" UNION ALL BY NAME "), layout, {
    folder: CHANGE_FOLDER,
  });
  return staged.files.map(({ path, partitionValues, size }) => ({
    cdc: { path, partitionValues, size, dataChange: false },
  }));
}
