/** What the source database says of its tables. */
import type pg from "pg";
import { z } from "zod";
import { TerminalError } from "../../../lakehouse/errors.ts";
import type { SourceTable } from "../../definition/pipeline.ts";
import { type ColumnMapping, mapColumn } from "./types.ts";

/** A source table as Ingot reads it. */
export interface TableDescription {
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly ColumnMapping[];
  /** Empty for an append-only table without key. */
  readonly key: readonly string[];
  readonly cursor: string | undefined;
  /** Whether the cursor may be null. */
  readonly cursorMayBeNull: boolean;
  /** Ids of the table itself and of all partitions and children whose rows it shows. */
  readonly relations: readonly string[];
  /** Postgres' own estimate; undefined where the table was never analysed. */
  readonly estimatedRows: number | undefined;
}

const tableRow = z.object({
  oid: z.number(),
  kind: z.string(),
  rows: z.number(),
  readable: z.boolean(),
  key: z.array(z.string()).nullable(),
  relations: z.array(z.string()),
});
const columnRow = z.object({ name: z.string(), type: z.string(), typmod: z.number(), required: z.boolean() });

const TABLE_SQL = `
  SELECT c.oid::int8::float8 AS oid, c.relkind::text AS kind, c.reltuples::float8 AS rows,
         has_table_privilege(c.oid, 'SELECT') AS readable,
         (SELECT array_agg(a.attname::text ORDER BY k.position)
            FROM pg_index i
            CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, position)
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
           WHERE i.indrelid = c.oid AND i.indisprimary) AS key,
         (WITH RECURSIVE family(oid) AS (
            SELECT c.oid UNION SELECT h.inhrelid FROM pg_inherits h JOIN family ON h.inhparent = family.oid)
          SELECT array_agg(family.oid::text ORDER BY family.oid) FROM family) AS relations
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = $1 AND c.relname = $2`;

// A domain is read as the type that it is made of.
const COLUMNS_SQL = `
  SELECT a.attname::text AS name, coalesce(b.typname, t.typname)::text AS type,
         CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END AS typmod,
         a.attnotnull AS required
    FROM pg_attribute a
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype
   WHERE a.attrelid = $1::float8::int8::oid AND a.attnum > 0 AND NOT a.attisdropped
   ORDER BY a.attnum`;

/** Describes one table, or says why it cannot be ingested. */
export async function describeTable(
  client: pg.Client,
  name: string,
  wanted: SourceTable,
): Promise<TableDescription> {
  const schema = wanted.schema ?? "public";
  const qualified = `${schema}.${name}`;
  const found = await client.query(TABLE_SQL, [schema, name]);
  if (found.rows.length === 0) throw await missingTable(client, schema, name);
  const table = tableRow.parse(found.rows[0]);
  if (!["r", "p"].includes(table.kind)) {
    throw new TerminalError(`${qualified} is not a table`, {
      code: "POSTGRES_NOT_A_TABLE",
      value: qualified,
      allowed: "ordinary and partitioned tables",
      next: "Take the tables behind the view into bronze, and write the view as a model.",
    });
  }
  if (!table.readable) {
    throw new TerminalError(`no right to read ${qualified}`, {
      code: "POSTGRES_GRANT",
      value: qualified,
      next: `As its owner: GRANT SELECT ON ${qualified} TO the user of DATABASE_URL.`,
    });
  }
  const columns = z.array(columnRow).parse((await client.query(COLUMNS_SQL, [table.oid])).rows);
  checkNames(qualified, columns);
  const cursor = cursorOf(qualified, wanted, columns);
  return {
    schema,
    name,
    columns: columns.map(toMapping),
    key: keyOf(qualified, wanted, table.key, columns),
    cursor,
    cursorMayBeNull: columns.some((column) => column.name === cursor && !column.required),
    relations: table.relations,
    estimatedRows: table.rows < 0 ? undefined : table.rows,
  };
}

type ColumnRow = z.infer<typeof columnRow>;

function toMapping({ name, type, typmod }: ColumnRow): ColumnMapping {
  if (type !== "numeric" || typmod < 4) return mapColumn(name, type);
  // numeric's modifier: precision in the high half, scale in the low eleven bits, plus the header of four.
  return mapColumn(name, type, ((typmod - 4) >> 16) & 0xffff, (((typmod - 4) & 0x7ff) ^ 1024) - 1024);
}

function checkNames(qualified: string, columns: readonly ColumnRow[]): void {
  const reserved = columns.find(({ name }) => name.startsWith("_ingot_"));
  if (reserved) {
    throw new TerminalError(`${qualified} has a column whose name Ingot keeps for itself`, {
      code: "POSTGRES_RESERVED_COLUMN",
      value: reserved.name,
      allowed: "names that do not begin with _ingot_",
    });
  }
  const lower = columns.map(({ name }) => name.toLowerCase());
  const twice = columns.find(({ name }, i) => lower.indexOf(name.toLowerCase()) !== i);
  if (twice) {
    throw new TerminalError(`${qualified} has two columns whose names differ only in case`, {
      code: "POSTGRES_AMBIGUOUS_COLUMN",
      value: twice.name,
      allowed: "names that differ in more than case, as Delta asks",
      next: "Rename one of them at the source.",
    });
  }
}

function keyOf(
  qualified: string,
  wanted: SourceTable,
  primary: readonly string[] | null,
  columns: readonly ColumnRow[],
): readonly string[] {
  if (wanted.key === "none") return [];
  const key = wanted.key ?? primary ?? [];
  if (key.length === 0) {
    throw new TerminalError(`${qualified} has no primary key`, {
      code: "POSTGRES_NO_KEY",
      value: qualified,
      allowed: 'a primary key, `key: ["column"]`, or `key: "none"` for a table that is only ever appended to',
      next: `Say which in the pipeline: tables: { ${qualified.split(".")[1]}: { key: … } }.`,
    });
  }
  for (const name of key) requireColumn(qualified, "key", name, columns);
  return key;
}

function cursorOf(qualified: string, wanted: SourceTable, columns: readonly ColumnRow[]): string | undefined {
  if (wanted.cursor === undefined) return undefined;
  const column = requireColumn(qualified, "cursor", wanted.cursor, columns);
  // A timestamp without time zone is not a moment: a sync would look at the wrong hours and miss rows.
  if (column.type !== "timestamptz") {
    throw new TerminalError(`the cursor of ${qualified} is not a moment in time`, {
      code: "POSTGRES_CURSOR_TYPE",
      value: `${column.name} ${column.type}`,
      allowed: "a timestamptz column that every change moves forward",
      next: "Leave the cursor out: a sync then reads the table and keeps what is new.",
    });
  }
  return column.name;
}

function requireColumn(
  qualified: string,
  role: string,
  name: string,
  columns: readonly ColumnRow[],
): ColumnRow {
  const column = columns.find((c) => c.name === name);
  if (column) return column;
  throw new TerminalError(`${qualified} has no column "${name}" for its ${role}`, {
    code: "POSTGRES_NO_COLUMN",
    value: name,
    allowed: columns.map((c) => c.name).join(", "),
  });
}

async function missingTable(client: pg.Client, schema: string, name: string): Promise<TerminalError> {
  const others = await client.query<{ name: string }>(
    `SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%'
      ORDER BY 1 LIMIT 30`,
  );
  return new TerminalError(`the source has no table ${schema}.${name}`, {
    code: "POSTGRES_NO_TABLE",
    value: `${schema}.${name}`,
    allowed: others.rows.map((row) => row.name).join(", ") || "none: the database holds no tables",
    next: "Check the name in the pipeline's `source`, and its `schema` where it is not public.",
  });
}
