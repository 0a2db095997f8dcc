/** The difference of two tables, or of two versions of one. */
import { logicalFile } from "../../lakehouse/delta/actions.ts";
import { explainReadError } from "../../lakehouse/delta/scan/read-error.ts";
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import { countRows, rowCount } from "../../lakehouse/delta/stats.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import type { DuckDb, Session } from "../../lakehouse/duckdb/duckdb.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import { compareRows, type RowDifferences } from "./compare-rows.ts";
import { pairColumns, type SchemaDifference, type Side } from "./side.ts";

/** One version of a table. */
export interface DiffSide {
  readonly label: string;
  readonly table: DeltaTable;
  readonly snapshot: Snapshot;
}

export interface DiffOptions {
  /** Columns that tell rows apart; none compares rows by what they hold. */
  readonly key: readonly string[];
  /** Columns that are compared, beside the key; all that both sides have by default. */
  readonly columns?: readonly string[] | undefined;
  /** Examples of each kind of difference. */
  readonly examples: number;
  /** Part of the keys that are compared, above 0 up to 1. */
  readonly rate: number;
  /** Columns whose values are not shown. */
  readonly hidden: ReadonlySet<string>;
  /** Whether both sides promise that a key is there once: then rows of files that both have need not be read. */
  readonly keyHolds: boolean;
}

export interface Difference extends RowDifferences {
  readonly left: string;
  readonly right: string;
  readonly key: readonly string[];
  readonly rate: number;
  readonly schema: readonly SchemaDifference[];
  readonly isSame: boolean;
}

/** Compares two sides. Throws `DIFF_COLUMN`, `DIFF_KEY`, `DIFF_REPEATED_KEY`. */
export async function diffTables(
  duckdb: DuckDb,
  left: DiffSide,
  right: DiffSide,
  options: DiffOptions,
): Promise<Difference> {
  const common = commonFiles(left, right, options);
  const session = await duckdb.session();
  try {
    const sides = [
      await openSide(session, left, common.paths),
      await openSide(session, right, common.paths),
    ] as const;
    const paired = pairColumns(...sides);
    const columns = chosen(paired.columns, options);
    const rows = await compareRows(session, ...sides, { ...options, columns });
    const same = rows.same + common.rows;
    const isAsked = ({ column }: SchemaDifference) =>
      options.columns === undefined || options.columns.includes(column) || options.key.includes(column);
    const schema = paired.schema.filter(isAsked);
    return {
      left: left.label,
      right: right.label,
      key: options.key,
      rate: options.rate,
      schema,
      ...rows,
      leftRows: rows.leftRows + common.rows,
      rightRows: rows.rightRows + common.rows,
      same,
      isSame: schema.length === 0 && rows.different + rows.onlyLeft + rows.onlyRight === 0,
    };
  } catch (error) {
    throw explainReadError(error, left.table.store.root);
  } finally {
    await session.close();
  }
}

interface CommonFiles {
  readonly paths: ReadonlySet<string>;
  readonly rows: number;
}

/**
 * Files that two versions of one table have alike hold the same rows on both sides: what is not in them is the whole
 * difference. Not where their columns are read in another way, nor where rows have to be counted that were not read.
 */
function commonFiles(left: DiffSide, right: DiffSide, { key, keyHolds, rate }: DiffOptions): CommonFiles {
  const nothing = { paths: new Set<string>(), rows: 0 };
  const isOne =
    left.table.store.root === right.table.store.root &&
    left.snapshot.metadata.id === right.snapshot.metadata.id &&
    left.snapshot.metadata.schemaString === right.snapshot.metadata.schemaString;
  if (!isOne || rate < 1 || (key.length > 0 && !keyHolds)) return nothing;
  const others = new Set([...right.snapshot.files.values()].map(logicalFile));
  const files = [...left.snapshot.files.values()].filter((file) => others.has(logicalFile(file)));
  if (files.some((file) => rowCount(file) === undefined)) return nothing;
  return { paths: new Set(files.map(logicalFile)), rows: countRows(files) };
}

async function openSide(
  session: Session,
  { label, table, snapshot }: DiffSide,
  common: ReadonlySet<string>,
): Promise<Side> {
  const all = scannable(snapshot);
  const files = all.files.filter((file) => !common.has(logicalFile(file)));
  const sql = await scanSql(table.store, { ...all, files });
  return { label, sql, columns: await session.describe(sql) };
}

function chosen(
  columns: ReturnType<typeof pairColumns>["columns"],
  { columns: wanted, key }: DiffOptions,
): ReturnType<typeof pairColumns>["columns"] {
  if (wanted === undefined) return columns;
  const unknown = wanted.filter((name) => !columns.some((column) => column.name === name));
  if (unknown.length > 0) {
    throw new TerminalError(`the two sides have no column ${unknown.join(", ")} in common`, {
      code: "DIFF_COLUMN",
      value: unknown.join(", "),
      allowed: columns.map(({ name }) => name).join(", "),
    });
  }
  return columns.filter(({ name }) => wanted.includes(name) || key.includes(name));
}
