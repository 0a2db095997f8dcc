/** Whether a table can be read in ranges of its key: both engines must order it alike, and the source have an index. */
import type pg from "pg";
import { z } from "zod";
import type { DataType } from "../../../lakehouse/delta/schema.ts";
import type { TableDescription } from "../postgres/catalog.ts";

/** A column that divides a table into ranges. */
export interface RangeColumn {
  readonly name: string;
  readonly type: DataType;
  /** Rows in which it is NULL are taken with the first range. */
  readonly mayBeNull: boolean;
}

const columnRow = z.object({
  type: z.string(),
  required: z.boolean(),
  indexed: z.boolean(),
  bytewise: z.boolean(),
});

// Text is ordered as DuckDB orders it where the collation compares bytes, and those are UTF-8. What names a provider
// is younger than Postgres 13, so it is looked up by name.
const COLUMN_SQL = `
  SELECT coalesce(b.typname, t.typname)::text AS type, a.attnotnull AS required,
         EXISTS (SELECT FROM pg_index i
                   JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam AND m.amname = 'btree'
                  WHERE i.indrelid = a.attrelid AND i.indisvalid AND i.indpred IS NULL
                    AND i.indkey[0] = a.attnum AND i.indcollation[0] = a.attcollation) AS indexed,
         current_setting('server_encoding') = 'UTF8' AND coalesce(
           CASE WHEN l.collname <> 'default' THEN l.collprovider = 'b' OR l.collcollate IN ('C', 'POSIX')
                ELSE to_jsonb(d) ->> 'datlocprovider' = 'b'
                  OR (coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') = 'c' AND d.datcollate IN ('C', 'POSIX')) END,
           false) AS bytewise
    FROM pg_attribute a
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
    JOIN pg_database d ON d.datname = current_database()
   WHERE a.attrelid = format('%I.%I', $1::text, $2::text)::regclass AND a.attname = $3`;

/** Types by name, and what bronze holds of them where the order is the same. */
const ORDERED: Readonly<Record<string, RegExp>> = {
  int2: /^short$/,
  int4: /^integer$/,
  int8: /^long$/,
  oid: /^long$/,
  numeric: /^decimal\(/,
  date: /^date$/,
  timestamp: /^timestamp/,
  timestamptz: /^timestamp/,
  uuid: /^string$/,
  text: /^string$/,
  varchar: /^string$/,
};

/** The first column of the table's key, where ranges of it can be compared; else undefined. */
export async function rangeColumn(
  client: pg.Client,
  table: TableDescription,
  types: ReadonlyMap<string, DataType>,
): Promise<RangeColumn | undefined> {
  const [name] = table.key;
  const type = name === undefined ? undefined : types.get(name);
  if (name === undefined || typeof type !== "string") return undefined;
  const { rows } = await client.query(COLUMN_SQL, [table.schema, table.name, name]);
  const column = columnRow.parse(rows[0]);
  const isText = column.type === "text" || column.type === "varchar";
  const ordered = ORDERED[column.type]?.test(type) === true && (!isText || column.bytewise);
  return ordered && column.indexed ? { name, type, mayBeNull: !column.required } : undefined;
}
