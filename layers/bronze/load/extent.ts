/** Where the rows of source tables lie: the relations that store them, and how much there is. */
import type pg from "pg";
import { z } from "zod";
import { literal } from "../../../lakehouse/duckdb/quote.ts";
import { codeOf, TransientError } from "../../../lakehouse/errors.ts";
import type { TableDescription } from "../postgres/catalog.ts";
import { sourceName } from "../schema.ts";

/** A relation that stores rows: an ordinary table, a partition, a child, a materialised view. */
export interface Leaf {
  /** Its object id. */
  readonly id: string;
  readonly schema: string;
  readonly name: string;
  /** Id of the file; another one means that the rows have moved to other blocks. */
  readonly file: string;
  /** Blocks of the main file. */
  readonly blocks: number;
  /** With what is stored out of line, without indexes. */
  readonly bytes: number;
  /** Whether the server can read some of its blocks without looking at the others. */
  readonly divisible: boolean;
}

/** What there is to read of one table. */
export interface Extent {
  /** Empty where the table can only be read as a whole, as a view. */
  readonly leaves: readonly Leaf[];
  /** Undefined where nothing says it. */
  readonly bytes: number | undefined;
}

const leafRow = z.object({
  id: z.string(),
  schema: z.string(),
  name: z.string(),
  kind: z.string(),
  file: z.string().nullable(),
  blocks: z.coerce.number(),
  bytes: z.coerce.number(),
  open: z.boolean(),
  version: z.number(),
});

// A relation whose own rights or policies are stricter than its parent's can be read through the parent only.
const LEAVES_SQL = `
  SELECT c.oid::text AS id, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind,
         pg_relation_filenode(c.oid)::text AS file,
         coalesce(pg_relation_size(c.oid, 'main') / current_setting('block_size')::int8, 0)::text AS blocks,
         coalesce(CASE WHEN c.relkind IN ('r', 'm') THEN pg_table_size(c.oid) END, 0)::text AS bytes,
         has_table_privilege(c.oid, 'SELECT') AND NOT c.relrowsecurity AS open,
         current_setting('server_version_num')::int AS version
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.oid = ANY($1::text[]::oid[]) AND c.relkind <> 'p'
   ORDER BY c.oid`;

/** From this version on a range of ctids is found without reading the blocks around it. */
const TID_RANGE_SCAN = 140_000;

/** Measures tables. Lock them first: a table that is rewritten meanwhile has other blocks. */
export async function measureExtents(
  client: pg.Client,
  tables: readonly TableDescription[],
): Promise<ReadonlyMap<TableDescription, Extent>> {
  const ids = tables.flatMap((table) => table.relations);
  const rows = z.array(leafRow).parse((await client.query(LEAVES_SQL, [ids])).rows);
  const byId = new Map(rows.map((row) => [row.id, row]));
  return new Map(
    tables.map((table) => {
      const own = table.relations.flatMap((id) => byId.get(id) ?? []);
      const stored = own.every((row) => ["r", "m"].includes(row.kind) && row.file !== null);
      const bytes = stored ? own.reduce((sum, row) => sum + row.bytes, 0) : undefined;
      const apart = stored && (own.length === 1 || own.every((row) => row.open));
      const leaves = own.map(({ file, version, kind: _kind, open: _open, ...row }) => ({
        ...row,
        file: file ?? "",
        divisible: version >= TID_RANGE_SCAN,
      }));
      return [table, { bytes, leaves: apart ? leaves : [] }];
    }),
  );
}

/** Seconds that a lock is waited for. */
const LOCK_SECONDS = 60;

/**
 * Holds the tables as they are until the transaction ends: nobody can drop, truncate, alter or rewrite them, all else
 * goes on.
 */
export async function lockTables(client: pg.Client, tables: readonly TableDescription[]): Promise<void> {
  await client.query(`SET LOCAL lock_timeout = ${literal(`${LOCK_SECONDS}s`)}`);
  for (const table of tables) {
    try {
      // A read locks what it reads, of whatever kind it is, with all partitions; LOCK TABLE would not take every kind.
      await client.query(`SELECT FROM ${sourceName(table)} LIMIT 0`);
    } catch (cause) {
      if (codeOf(cause) !== "55P03") throw cause;
      throw new TransientError(`${table.schema}.${table.name} is being altered by somebody else`, {
        code: "POSTGRES_LOCK_TIMEOUT",
        value: `no lock after ${LOCK_SECONDS} s`,
        next: "Run the same command again when that is done; pg_stat_activity says who holds the lock.",
        cause,
      });
    }
  }
}
