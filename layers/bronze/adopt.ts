/**
 * Adopting what was rescued: values that had no place in bronze get one, out of the table itself. The source is not
 * read again.
 */
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import { type DataType, duckdbType, field, type StructType } from "../../lakehouse/delta/schema.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import { identifier, literal } from "../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import { META, META_COLUMNS } from "../definition/bronze-columns.ts";
import { versionOf } from "./commit-outcome.ts";

export interface AdoptResult {
  readonly version: number;
  readonly column: string;
  readonly type: string;
  /** Rescued values that now stand in the column. */
  readonly adopted: number;
  /** Rescued values that have no place in the column's new type either, and stay rescued. */
  readonly left: number;
}

/**
 * Gives a column the type and takes its rescued values into it, in one commit that replaces the table's files.
 * Rejects with `ADOPT_NOTHING` where no value of the column was rescued, `ADOPT_TYPE` where values that are in the
 * column would be lost.
 */
export async function adoptColumn(table: DeltaTable, column: string, type: DataType): Promise<AdoptResult> {
  const base = await table.existingSnapshot();
  const rescued = `json_extract_string(${META.rescued}, ${literal(`$."${column.replaceAll('"', '\\"')}"`)})`;
  const session = await table.duckdb.session();
  try {
    const rows = await scanSql(table.store, scannable(base));
    const target = duckdbType(type);
    const own = base.schema.fields.find((f) => f.name === column);
    const former = own === undefined ? `NULL::${target}` : `TRY_CAST(${identifier(column)} AS ${target})`;
    const value = `TRY_CAST(${rescued} AS ${target})`;
    const lost =
      own === undefined ? "0" : `count(*) FILTER (${identifier(column)} IS NOT NULL AND ${former} IS NULL)`;
    const [counts] = await session.rows(
      `SELECT count(${rescued}) AS found, count(${value}) AS adopted, ${lost} AS lost FROM (${rows})`,
    );
    const [found, adopted] = [Number(counts?.found), Number(counts?.adopted)];
    check(column, target, found, Number(counts?.lost));
    const rest = `nullif(json_merge_patch(${META.rescued}::JSON, json_object(${literal(column)}, NULL))::VARCHAR, '{}')`;
    const schema = schemaWith(base, column, type);
    const columns = schema.fields.map(({ name }) => {
      if (name === column) return `coalesce(${value}, ${former}) AS ${identifier(name)}`;
      return name === META.rescued
        ? `CASE WHEN ${value} IS NULL THEN ${META.rescued} ELSE ${rest} END AS ${META.rescued}`
        : identifier(name);
    });
    const staged = await table.stage(session, `SELECT ${columns.join(", ")} FROM (${rows})`, schema);
    const outcome = await table.write({
      operation: "ADOPT COLUMN",
      parameters: { column, type: target },
      base,
      schema,
      staged,
      removes: base.files.values(),
      reads: "table",
    });
    const version = versionOf(outcome, {
      lost: `${table.store.root} was changed by another run at the same time`,
      next: "Nothing was changed. Run the command again while no capture runs.",
    });
    return { version, column, type: target, adopted, left: found - adopted };
  } finally {
    await session.close();
  }
}

function check(column: string, type: string, found: number, lost: number): void {
  if (lost > 0) {
    throw new TerminalError(`${lost} values of column ${column} have no place in type ${type}`, {
      code: "ADOPT_TYPE",
      value: type,
      allowed: "a type that holds the values that are in the column, as VARCHAR does",
      next: "Choose another type with --type.",
    });
  }
  if (found > 0) return;
  throw new TerminalError(`no value of column ${column} was rescued`, {
    code: "ADOPT_NOTHING",
    value: column,
    next: "`ingot schema` shows what changed at the source and what became of it.",
  });
}

/** The columns with this one in its new type: in its place, or behind the source's other columns. */
function schemaWith(base: Snapshot, column: string, type: DataType): StructType {
  const { fields } = base.schema;
  if (fields.some((f) => f.name === column)) {
    return { ...base.schema, fields: fields.map((f) => (f.name === column ? { ...f, type } : f)) };
  }
  const own = fields.filter((f) => !META_COLUMNS.includes(f.name));
  const meta = fields.filter((f) => META_COLUMNS.includes(f.name));
  return { ...base.schema, fields: [...own, field(column, type), ...meta] };
}
