/** The application's tables as the catalogue has them: three queries, however many there are. */
import type pg from "pg";
import { z } from "zod";
import { isCounted } from "../../layers/bronze/postgres/catalog.ts";

const tableRow = z.object({
  oid: z.number(),
  schema: z.string(),
  name: z.string(),
  comment: z.string().nullable(),
  readable: z.boolean(),
  rowSecurity: z.boolean(),
  owned: z.boolean(),
  unlogged: z.boolean(),
  inherited: z.boolean(),
  identity: z.enum(["d", "n", "f", "i"]),
  rows: z.number().nullable(),
});

const columnRow = z.object({
  table: z.number(),
  name: z.string(),
  display: z.string(),
  base: z.string(),
  builtIn: z.boolean(),
  category: z.string(),
  typmod: z.number(),
  required: z.boolean(),
  generated: z.boolean(),
  misplaced: z.boolean(),
  comment: z.string().nullable(),
  labels: z.array(z.string()).nullable(),
});

const indexRow = z.object({
  table: z.number(),
  columns: z.array(z.string()),
  primary: z.boolean(),
  identity: z.boolean(),
  immediate: z.boolean(),
  names: z.boolean(),
});

/**
 * A column. `base`, `builtIn`, `category`: name in `pg_type` and class of its type, domains taken for what they are
 * made of. `misplaced`: the statistics know of values that only Postgres has, as infinity. `labels`: of an enum.
 */
export type FoundColumn = Omit<z.infer<typeof columnRow>, "table">;

/** An index over plain columns. `names`: its columns together name a row, as they are unique and never null. */
type FoundIndex = Omit<z.infer<typeof indexRow>, "table">;

/**
 * A table. `rowSecurity`: policies may hide rows from this user. `inherited`: other tables inherit from it, whose
 * rows it shows. `identity`: `pg_class.relreplident`. `rows`: Postgres' estimate.
 */
export interface FoundTable extends z.infer<typeof tableRow> {
  readonly columns: readonly FoundColumn[];
  readonly indexes: readonly FoundIndex[];
}

/** Types with values that only Postgres has, and what those look like: infinities, NaN, years that have no four digits. */
export const MISPLACING: readonly string[] = ["date", "timestamp", "timestamptz", "numeric"];
export const MISPLACED = "[Ii]nfinity|NaN| BC|[0-9]{5,}-";

// A partition is part of its table; tables of an extension are not the application's.
const TABLES_SQL = `
  SELECT c.oid::int8::float8 AS oid, n.nspname::text AS schema, c.relname::text AS name,
         obj_description(c.oid, 'pg_class') AS comment,
         has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable,
         row_security_active(c.oid) AS "rowSecurity", pg_has_role(c.relowner, 'USAGE') AS owned,
         c.relpersistence = 'u' AS unlogged,
         c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = c.oid) AS inherited,
         c.relreplident::text AS identity,
         CASE WHEN c.relkind = 'p' THEN
           (SELECT sum(l.reltuples) FROM pg_partition_tree(c.oid) t JOIN pg_class l ON l.oid = t.relid
             WHERE t.isleaf AND ${isCounted("l")})::float8
         WHEN ${isCounted("c")} THEN c.reltuples::float8 END AS rows
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
     AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
     AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
   ORDER BY n.nspname <> 'public', n.nspname, c.relname`;

// Statistics show values that are frequent, the least and the greatest: mostly, infinite ones are among these.
const COLUMNS_SQL = `
  WITH RECURSIVE domains(domain, base, typmod) AS (
    SELECT oid, typbasetype, typtypmod FROM pg_type WHERE typtype = 'd'
    UNION ALL SELECT d.domain, t.typbasetype, greatest(d.typmod, t.typtypmod)
                FROM domains d JOIN pg_type t ON t.oid = d.base WHERE t.typtype = 'd')
  SELECT a.attrelid::int8::float8 AS table, a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS display,
         b.typname::text AS base, bn.nspname = 'pg_catalog' AS "builtIn", b.typcategory::text AS category,
         greatest(a.atttypmod, d.typmod) AS typmod, a.attnotnull AS required, a.attgenerated <> '' AS generated,
         b.typname = ANY ($2) AND EXISTS (
           SELECT FROM pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
             AND concat(s.most_common_vals, s.histogram_bounds) ~ $3) AS misplaced,
         col_description(a.attrelid, a.attnum) AS comment,
         (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = b.oid) AS labels
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN (SELECT d.* FROM domains d JOIN pg_type t ON t.oid = d.base WHERE t.typtype <> 'd') d ON d.domain = t.oid
    JOIN pg_type b ON b.oid = coalesce(d.base, t.oid) JOIN pg_namespace bn ON bn.oid = b.typnamespace
   WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
   ORDER BY a.attrelid, a.attnum`;

const INDEXES_SQL = `
  SELECT i.indrelid::int8::float8 AS table, k.columns, i.indisprimary AS primary, i.indisreplident AS identity,
         i.indimmediate AS immediate, i.indisunique AND i.indimmediate AND k.required AS names
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    CROSS JOIN LATERAL (
      SELECT array_agg(a.attname::text ORDER BY p.position) AS columns, bool_and(a.attnotnull) AS required
        FROM unnest(i.indkey) WITH ORDINALITY AS p(attnum, position)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = p.attnum
       WHERE p.position <= i.indnkeyatts) k
   WHERE i.indrelid = ANY ($1::oid[]) AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
   ORDER BY i.indrelid, cardinality(k.columns), c.relname`;

export async function readTables(client: pg.Client): Promise<FoundTable[]> {
  const tables = z.array(tableRow).parse((await client.query(TABLES_SQL)).rows);
  const oids = tables.map((table) => table.oid);
  const described = await client.query(COLUMNS_SQL, [oids, MISPLACING, MISPLACED]);
  const columns = byTable(z.array(columnRow).parse(described.rows));
  const indexes = byTable(z.array(indexRow).parse((await client.query(INDEXES_SQL, [oids])).rows));
  return tables.map((table) => ({
    ...table,
    columns: columns.get(table.oid) ?? [],
    indexes: indexes.get(table.oid) ?? [],
  }));
}

function byTable<Row extends { readonly table: number }>(rows: readonly Row[]): Map<number, Row[]> {
  const groups = new Map<number, Row[]>();
  for (const row of rows) {
    const group = groups.get(row.table) ?? [];
    group.push(row);
    groups.set(row.table, group);
  }
  return groups;
}
