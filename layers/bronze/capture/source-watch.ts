/**
 * A look at the source's catalogue now and then, while changes are followed. What is created, altered or emptied there
 * without a row of a captured table being changed is told by no stream, and to be told by the server itself (event
 * triggers) takes rights that Ingot does not ask for.
 */
import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import { z } from "zod";
import type { PipelineDefinition } from "../../definition/pipeline.ts";
import { connect, disconnect } from "../postgres/connect.ts";

/** Milliseconds between looks. */
const LOOK_EVERY = 5_000;
/** Milliseconds for an answer: a network that takes everything and brings nothing back ends no connection. */
const PATIENCE = 15_000;

export interface WatchTimes {
  /** Milliseconds between looks. */
  readonly every?: number | undefined;
  /** Milliseconds that the source has for each answer. */
  readonly patience?: number | undefined;
}

export interface SourceWatch {
  /** Resolves when the source is not what it was when the watch began, or that cannot be told any more. */
  readonly changed: Promise<void>;
  end(): Promise<void>;
}

const digestRow = z.object({ digest: z.string() });

// Tables by name and those of whole schemas; their columns; the files of those that have parts.
const DIGEST_SQL = `
  WITH RECURSIVE roots AS (
    SELECT c.oid, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE (n.nspname = ANY ($1) AND c.relkind IN ('r', 'p') AND NOT c.relispartition)
        OR EXISTS (SELECT FROM unnest($2::text[], $3::text[]) AS named(schema, name)
                    WHERE n.nspname = named.schema AND c.relname = named.name)),
  family AS (
    SELECT oid AS root, oid FROM roots
    UNION SELECT family.root, h.inhrelid FROM pg_inherits h JOIN family ON h.inhparent = family.oid),
  lines AS (
    SELECT format('table %s %s', oid, name) AS line FROM roots
    UNION ALL
    SELECT format('column %s %s %s %s %s', attrelid, attnum, attname, atttypid, atttypmod)
      FROM pg_attribute JOIN roots ON roots.oid = attrelid WHERE attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT format('part %s %s %s', root, oid, pg_relation_filenode(oid)) FROM family
     WHERE root IN (SELECT root FROM family GROUP BY root HAVING count(*) > 1))
  SELECT coalesce(md5(string_agg(line, E'\\n' ORDER BY line)), '') AS digest FROM lines`;

/** Watches what the pipeline takes. */
export async function watchSource(
  connectionString: string,
  { source }: PipelineDefinition,
  { every = LOOK_EVERY, patience = PATIENCE }: WatchTimes = {},
): Promise<SourceWatch> {
  const named = Object.entries(source.tables);
  const parameters = [
    source.discover ?? [],
    named.map(([, { schema }]) => schema ?? "public"),
    named.map(([bronze, { table }]) => table ?? bronze),
  ];
  const client = await connect(connectionString, { patience });
  const over = new AbortController();
  try {
    const first = await digestOf(client, parameters);
    const look = async () => {
      do await delay(every, undefined, { signal: over.signal });
      while ((await digestOf(client, parameters)) === first);
    };
    return {
      // A connection that is lost, or silent, says nothing of the source: a new beginning looks at it anew.
      changed: look().catch(() => {}),
      end: async () => {
        over.abort();
        await disconnect(client);
      },
    };
  } catch (error) {
    await disconnect(client);
    throw error;
  }
}

async function digestOf(client: pg.Client, parameters: readonly (readonly string[])[]): Promise<string> {
  return digestRow.parse((await client.query(DIGEST_SQL, [...parameters])).rows[0]).digest;
}
