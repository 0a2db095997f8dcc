/** What the source database says of its tables. */
import type pg from "pg";
import { z } from "zod";
import { TerminalError } from "../../../lakehouse/errors.ts";
import type { SourceTable } from "../../definition/pipeline.ts";
import { checkNames, cursorOf, keyOf } from "./table-checks.ts";
import { type ColumnMapping, mapColumn, typesOf } from "./types.ts";

/** `r` ordinary, `p` partitioned, `v` view, `m` materialised view, `f` foreign table. */
type RelationKind = "r" | "p" | "v" | "m" | "f";

/** A source table as Ingot reads it. */
export interface TableDescription {
  readonly schema: string;
  readonly name: string;
  /** Name of its bronze table. */
  readonly bronze: string;
  /** Its id in `pg_class`. */
  readonly oid: number;
  readonly kind: RelationKind;
  readonly columns: readonly ColumnMapping[];
  /** Empty for an append-only table without key. */
  readonly key: readonly string[];
  readonly cursor: string | undefined;
  /** Whether the cursor may be null. */
  readonly cursorMayBeNull: boolean;
  /** Ids of the table itself and of all partitions and children whose rows it shows. */
  readonly relations: readonly string[];
  /** Of each of them, the id of the file that holds its rows: another one once it was emptied or written anew. */
  readonly fileNodes: readonly (string | null)[];
  /** Which of them have rows of which nothing is in the WAL: unlogged and foreign tables. */
  readonly notInWal: readonly string[];
  /** Whether every row shows the transaction that wrote it: those of views and foreign tables do not. */
  readonly hasTransactionIds: boolean;
  /** How changes name the former row: `d` by primary key, `n` not, `f` by all columns, `i` by an index. */
  readonly replicaIdentity: "d" | "n" | "f" | "i";
  /** Whether every partition's changes bring the former row whole, whatever the table's own say. */
  readonly bringsWholeRows: boolean;
  /** Columns of the replica identity; empty where changes do not name the former row. */
  readonly identityColumns: readonly string[];
  /** Postgres' own estimate; undefined where the table was never analysed. */
  readonly estimatedRows: number | undefined;
  /** What it takes on disk, with partitions and long values, without indexes; 0 for views and foreign tables. */
  readonly bytes: number;
}

const tableRow = z.object({
  oid: z.number(),
  kind: z.string(),
  readable: z.boolean(),
  identity: z.enum(["d", "n", "f", "i"]),
  primary: z.array(z.string()).nullable(),
  identityKey: z.array(z.string()).nullable(),
  relations: z.array(z.string()),
  fileNodes: z.array(z.string().nullable()),
  notInWal: z.array(z.string()).nullable(),
  plain: z.boolean(),
  whole: z.boolean(),
  rows: z.number().nullable(),
  bytes: z.number(),
});
const columnRow = z.object({
  name: z.string(),
  attnum: z.number(),
  type: z.number(),
  typmod: z.number(),
  required: z.boolean(),
  generated: z.boolean(),
});

/** Columns of the first index of the table that meets a condition, without those that it only includes. */
const indexColumns = (condition: string) => `
  (SELECT array_agg(a.attname::text ORDER BY k.position)
     FROM pg_index i
     CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, position)
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
    WHERE i.indrelid = c.oid AND k.position <= i.indnkeyatts AND ${condition})`;

/**
 * Whether statistics say how many rows a relation of `pg_class` has: from version 14 on -1 says that they do not,
 * before, 0 where they know of no block.
 */
export const isCounted = (relation: string): string =>
  `(${relation}.reltuples > 0 OR (${relation}.reltuples = 0 AND (${relation}.relpages > 0 OR current_setting('server_version_num')::int >= 140000)))`;

const TABLE_SQL = `
  WITH RECURSIVE family(oid) AS (
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2
    UNION SELECT h.inhrelid FROM pg_inherits h JOIN family ON h.inhparent = family.oid),
  members AS (
    SELECT array_agg(m.oid::text ORDER BY m.oid) AS relations,
           array_agg(pg_relation_filenode(m.oid)::text ORDER BY m.oid) AS "fileNodes",
           array_agg(format('%s.%s', m.relnamespace::regnamespace, m.relname) ORDER BY m.oid)
             FILTER (WHERE m.relkind = 'f' OR (m.relkind IN ('r', 'p') AND m.relpersistence <> 'p')) AS "notInWal",
           bool_and(m.relkind IN ('r', 'p', 'm')) AS plain,
           coalesce(bool_and(m.relreplident = 'f') FILTER (WHERE m.relkind = 'r'), false) AS whole,
           (sum(m.reltuples) FILTER (WHERE ${isCounted("m")} AND m.relkind IN ('r', 'm')))::float8 AS rows,
           coalesce(sum(pg_table_size(m.oid)), 0)::float8 AS bytes
      FROM family JOIN pg_class m ON m.oid = family.oid)
  SELECT c.oid::int8::float8 AS oid, c.relkind::text AS kind, has_table_privilege(c.oid, 'SELECT') AS readable,
         c.relreplident::text AS identity, ${indexColumns("i.indisprimary")} AS primary,
         ${indexColumns("CASE c.relreplident WHEN 'd' THEN i.indisprimary AND i.indimmediate WHEN 'i' THEN i.indisreplident END")} AS "identityKey",
         members.*
    FROM members, pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = $1 AND c.relname = $2`;

const COLUMNS_SQL = `
  SELECT a.attname::text AS name, a.attnum::int AS attnum, a.atttypid::int8::float8 AS type, a.atttypmod AS typmod,
         a.attnotnull AS required, a.attgenerated <> '' AS generated
    FROM pg_attribute a
   WHERE a.attrelid = $1::int8::oid AND a.attnum > 0 AND NOT a.attisdropped
   ORDER BY a.attnum`;

const relationKind = z.enum(["r", "p", "v", "m", "f"]);

/** Describes one table, or says why it cannot be ingested. `bronze`: the name of its bronze table. */
export async function describeTable(
  client: pg.Client,
  bronze: string,
  wanted: SourceTable,
): Promise<TableDescription> {
  const schema = wanted.schema ?? "public";
  const name = wanted.table ?? bronze;
  const qualified = `${schema}.${name}`;
  const found = await client.query(TABLE_SQL, [schema, name]);
  if (found.rows.length === 0) throw await missingTable(client, schema, name);
  const table = tableRow.parse(found.rows[0]);
  const kind = relationKind.safeParse(table.kind);
  if (!kind.success) throw notATable(qualified);
  if (!table.readable) throw notReadable(qualified);
  const rows = z.array(columnRow).parse((await client.query(COLUMNS_SQL, [table.oid])).rows);
  const types = await typesOf(
    client,
    rows.map((row) => row.type),
  );
  const columns = rows.map((row): ColumnMapping => {
    const mapping = mapColumn(row.name, types.get(row.type), row.typmod, row.attnum);
    return row.generated ? { ...mapping, generated: true } : mapping;
  });
  const checked = rows.map((row) => ({ name: row.name, type: types.get(row.type)?.name ?? "" }));
  checkNames(qualified, checked);
  const cursor = cursorOf(qualified, wanted, checked);
  const names = columns.map((column) => column.name);
  return {
    schema,
    name,
    bronze,
    oid: table.oid,
    kind: kind.data,
    columns,
    key: keyOf(qualified, bronze, wanted, table.primary ?? [], checked),
    cursor,
    cursorMayBeNull: rows.some((row) => row.name === cursor && !row.required),
    relations: table.relations,
    fileNodes: table.fileNodes,
    notInWal: table.notInWal ?? [],
    hasTransactionIds: table.plain,
    replicaIdentity: table.identity,
    bringsWholeRows: table.whole,
    identityColumns: table.identity === "f" ? names : (table.identityKey ?? []),
    estimatedRows: table.rows ?? undefined,
    bytes: table.bytes,
  };
}

/**
 * Names of the tables of a schema, in order: ordinary and partitioned ones. A partition is part of its table; tables
 * of an extension are not the application's. Throws `POSTGRES_NO_SCHEMA`.
 */
export async function describeSchema(client: pg.Client, schema: string): Promise<string[]> {
  const { rows } = await client.query<{ oid: string }>(
    "SELECT oid::text FROM pg_namespace WHERE nspname = $1",
    [schema],
  );
  const [namespace] = rows;
  if (namespace === undefined) throw await missingSchema(client, schema);
  const tables = await client.query<{ name: string }>(
    `SELECT c.relname::text AS name FROM pg_class c
      WHERE c.relnamespace = $1::oid AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
      ORDER BY 1`,
    [namespace.oid],
  );
  return tables.rows.map((row) => row.name);
}

function notATable(qualified: string): TerminalError {
  return new TerminalError(`${qualified} is not a table`, {
    code: "POSTGRES_NOT_A_TABLE",
    value: qualified,
    allowed: "tables (ordinary, partitioned, foreign), views, materialised views",
    next: "Check the name in the pipeline's `source`.",
  });
}

function notReadable(qualified: string): TerminalError {
  return new TerminalError(`no right to read ${qualified}`, {
    code: "POSTGRES_GRANT",
    value: qualified,
    next: `As its owner: GRANT SELECT ON ${qualified} TO the user of DATABASE_URL.`,
  });
}

async function missingTable(client: pg.Client, schema: string, name: string): Promise<TerminalError> {
  const others = await client.query<{ name: string }>(
    `SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
        AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%'
      ORDER BY 1 LIMIT 30`,
  );
  return new TerminalError(`the source has no table ${schema}.${name}`, {
    code: "POSTGRES_NO_TABLE",
    value: `${schema}.${name}`,
    allowed: others.rows.map((row) => row.name).join(", ") || "none: the database holds no tables",
    next:
      others.rows.length > 0
        ? "Check the name in the pipeline's `source`, and its `schema` where it is not public."
        : "Say which database is meant: export DATABASE_URL=postgres://…. Without it, and without `database` in the configuration, the source is an embedded database, which begins empty.",
  });
}

async function missingSchema(client: pg.Client, schema: string): Promise<TerminalError> {
  const { rows } = await client.query<{ name: string }>(
    "SELECT nspname::text AS name FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' ORDER BY 1 LIMIT 30",
  );
  return new TerminalError(`the source has no schema ${schema}`, {
    code: "POSTGRES_NO_SCHEMA",
    value: schema,
    allowed: rows.map((row) => row.name).join(", "),
    next: "Check `discover` in the pipeline's `source`.",
  });
}
