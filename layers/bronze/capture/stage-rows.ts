/** From a file of captured rows to data files of bronze, not yet committed. */
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import { duckdbType } from "../../../lakehouse/delta/schema.ts";
import type { Staged } from "../../../lakehouse/delta/stage.ts";
import type { Session } from "../../../lakehouse/duckdb/duckdb.ts";
import { identifier, identifiers, literal } from "../../../lakehouse/duckdb/quote.ts";
import { TransientError } from "../../../lakehouse/errors.ts";
import { META, META_COLUMNS } from "../../definition/bronze-columns.ts";
import { csvSql, isMisread, valuesSql } from "../csv.ts";
import type { Segment } from "./batch.ts";
import type { CapturedTable, Shape } from "./captured-table.ts";
import { ROW_FIELDS, type RowFile } from "./row-file.ts";
import { restoreUnchanged } from "./unchanged.ts";

/** Bytes of a row for which DuckDB is given room at least. */
const USUAL_ROW = 4 << 20;

/** What the rows of a table were staged as so far, in this batch. */
export type StagedRows = readonly Pick<Staged, "files">[];

/** Stages a segment. `earlier`: what was staged of the table in the same batch, for values that were not sent. */
export async function stageSegment(
  session: Session,
  table: CapturedTable,
  segment: Segment,
  earlier: StagedRows,
  at: Date,
): Promise<Staged> {
  segment.rows.close();
  try {
    return await stageAs(session, table, segment, earlier, at, segment.shape.careful);
  } catch (error) {
    if (segment.shape.careful || !isMisread(error)) throw error;
    return await stageAs(session, table, segment, earlier, at, true);
  }
}

async function stageAs(
  session: Session,
  table: CapturedTable,
  { shape, rows }: Segment,
  earlier: StagedRows,
  at: Date,
  careful: boolean,
): Promise<Staged> {
  const read = readSql(shape, rows, careful);
  if (rows.incomplete === 0) {
    return counted(
      table,
      rows,
      await table.target.stage(session, bronzeSql(table, shape, read, at), table.base),
    );
  }
  await session.run(`CREATE OR REPLACE TABLE captured AS
    SELECT * FROM (${bronzeSql(table, shape, read, at, ["_ingot_unchanged", "_ingot_rekeyed"])})`);
  const names = shape.columns.map((column) => column.name);
  await restoreUnchanged(session, table, names, (keys) => knownRows(session, table, earlier, keys));
  const columns = identifiers(table.base.schema.fields.map((f) => f.name));
  return counted(
    table,
    rows,
    await table.target.stage(session, `SELECT ${columns} FROM captured`, table.base),
  );
}

/** What was read is what was written, or nothing of it is committed. */
function counted(table: CapturedTable, { rows }: RowFile, staged: Staged): Staged {
  if (staged.rows === rows) return staged;
  throw new TransientError(`${table.task}: ${rows} changes were captured, ${staged.rows} were read back`, {
    code: "COPY_INCOMPLETE",
    value: staged.rows,
    allowed: String(rows),
    next: "Nothing was committed. Run the same command again.",
  });
}

/** The rows of the file: the relation's columns, what is rescued of them, and the fields of the change. */
function readSql(shape: Shape, { path, longest }: RowFile, careful: boolean): string {
  const fields = shape.columns.map(({ name, csvType }) => ({ name, type: careful ? "VARCHAR" : csvType }));
  const change = ROW_FIELDS.map(({ name }) => name).join(", ");
  return `SELECT ${valuesSql(shape.columns, careful ? "careful" : "fast")}, ${change}
    FROM ${csvSql([...ROW_FIELDS, ...fields], path, { longestRow: Math.max(USUAL_ROW, longest + 1) })}`;
}

/** The same in the columns of bronze. */
function bronzeSql(
  table: CapturedTable,
  shape: Shape,
  read: string,
  at: Date,
  others: readonly string[] = [],
): string {
  const has = new Set(shape.columns.filter((column) => column.hasPlace).map((column) => column.name));
  const columns = table.base.schema.fields
    .filter((f) => !META_COLUMNS.includes(f.name))
    .map((f) =>
      has.has(f.name) ? identifier(f.name) : `NULL::${duckdbType(f.type)} AS ${identifier(f.name)}`,
    );
  const meta = [
    META.operation,
    META.lsn,
    META.sequence,
    META.transaction,
    `make_timestamptz(_ingot_committed_us) AS ${META.committedAt}`,
    `TIMESTAMPTZ ${literal(at.toISOString())} AS ${META.ingestedAt}`,
    META.rescued,
  ];
  return `SELECT ${[...columns, ...meta, ...others].join(", ")} FROM (${read})`;
}

/** Rows of the table, committed and staged, whose key is among those of a query. */
async function knownRows(
  session: Session,
  table: CapturedTable,
  earlier: StagedRows,
  keys: string,
): Promise<string> {
  const staged = earlier.flatMap(({ files }) => files);
  const committed = scannable(table.base);
  const rows = await scanSql(table.target.store, { ...committed, files: [...committed.files, ...staged] });
  await session.run(`CREATE OR REPLACE TABLE wanted AS ${keys}`);
  return `SELECT * FROM (${rows}) SEMI JOIN wanted USING (${identifiers(table.key)})`;
}
