/**
 * Publications: what of the source is sent. There are two of each name. A table whose rows have no identity must not
 * be in one that publishes updates and deletes, or Postgres refuses them to the application; such tables go into the
 * second, which publishes inserts and truncations only.
 */
import type pg from "pg";
import { z } from "zod";
import { identifier, literal } from "../../../../lakehouse/duckdb/quote.ts";
import { codeOf, TerminalError } from "../../../../lakehouse/errors.ts";
import type { PipelineDefinition } from "../../../definition/pipeline.ts";
import { replicationNames } from "../../../definition/replication-names.ts";
import type { TableDescription } from "../catalog.ts";
import { OWN } from "./slot-owner.ts";

const qualifiedName = (table: Pick<TableDescription, "schema" | "name">) =>
  `${identifier(table.schema)}.${identifier(table.name)}`;

const publicationRow = z.object({
  all: z.boolean(),
  root: z.boolean(),
  operations: z.boolean(),
  own: z.boolean(),
  filtered: z.boolean(),
  tables: z.array(z.string()),
});
type Publication = z.infer<typeof publicationRow>;

/**
 * Makes the publications cover these tables, and no others where Ingot made them. Answers those that were not covered:
 * changes of them before this are not to be had.
 */
export async function ensurePublication(
  client: pg.Client,
  pipeline: PipelineDefinition,
  tables: readonly TableDescription[],
): Promise<TableDescription[]> {
  const [changes, inserts] = replicationNames(pipeline).publications;
  const identified = tables.filter(publishesChanges);
  const others = tables.filter((table) => !identified.includes(table));
  const plans = [
    await plan(client, changes, identified, "insert, update, delete, truncate"),
    await plan(client, inserts, others, "insert, truncate"),
  ];
  const statements = plans.flatMap((planned) => planned.statements);
  // A table that goes from one to the other is published by one of them at every moment.
  if (statements.length > 0) await alter(client, changes, statements);
  return plans.flatMap((planned) => planned.added);
}

/** Whether updates and deletes of the table's rows can be published: they have a key, or are sent whole. */
function publishesChanges(table: TableDescription): boolean {
  return table.replicaIdentity === "f" || table.identityColumns.length > 0;
}

interface Planned {
  readonly statements: readonly string[];
  readonly added: readonly TableDescription[];
}

async function plan(
  client: pg.Client,
  name: string,
  tables: readonly TableDescription[],
  publish: string,
): Promise<Planned> {
  const found = await find(client, name);
  const wanted = tables.map(qualifiedName);
  if (found === undefined) {
    const list = wanted.length > 0 ? ` FOR TABLE ${wanted.join(", ")}` : "";
    const sql = `CREATE PUBLICATION ${identifier(name)}${list} WITH (publish = ${literal(publish)}, publish_via_partition_root = true)`;
    return {
      statements: [sql, `COMMENT ON PUBLICATION ${identifier(name)} IS ${literal(OWN)}`],
      added: tables,
    };
  }
  check(name, found, publish);
  if (found.all) return { statements: [], added: [] };
  const added = tables.filter((table) => !found.tables.includes(qualifiedName(table)));
  const surplus = found.own ? found.tables.filter((table) => !wanted.includes(table)) : [];
  const statements: string[] = [];
  if (added.length > 0)
    statements.push(`ALTER PUBLICATION ${identifier(name)} ADD TABLE ${added.map(qualifiedName).join(", ")}`);
  if (surplus.length > 0)
    statements.push(`ALTER PUBLICATION ${identifier(name)} DROP TABLE ${surplus.join(", ")}`);
  return { statements, added };
}

async function find(client: pg.Client, name: string): Promise<Publication | undefined> {
  const { rows } = await client.query(
    `SELECT puballtables AS all, pubviaroot AS root, starts_with(obj_description(p.oid, 'pg_publication'), $2) IS TRUE AS own,
            pubinsert AND pubtruncate AND (NOT $3 OR (pubupdate AND pubdelete)) AS operations,
            (SELECT coalesce(array_agg(format('%s.%s', '"' || replace(t.schemaname, '"', '""') || '"', '"' || replace(t.tablename, '"', '""') || '"')), '{}')
               FROM pg_publication_tables t WHERE t.pubname = p.pubname) AS tables,
            EXISTS (SELECT FROM pg_publication_rel r
              WHERE r.prpubid = p.oid AND (to_jsonb(r)->>'prqual' IS NOT NULL OR to_jsonb(r)->>'prattrs' IS NOT NULL)) AS filtered
       FROM pg_publication p WHERE pubname = $1`,
    [name, OWN, !name.endsWith("_inserts")],
  );
  return rows.length === 0 ? undefined : publicationRow.parse(rows[0]);
}

function check(name: string, found: Publication, publish: string): void {
  if (found.filtered) {
    throw new TerminalError(`publication ${name} leaves out rows or columns`, {
      code: "PUBLICATION_OPTIONS",
      value: "a row filter or a column list",
      allowed: "whole tables: what is left out would be missing in bronze without a word",
      next: "Take the filter away, or name another publication: wal: { publication: … }.",
    });
  }
  if (found.operations && found.root) return;
  throw new TerminalError(`publication ${name} does not publish what Ingot needs`, {
    code: "PUBLICATION_OPTIONS",
    value: found.operations ? "publish_via_partition_root = false" : "some operations are left out",
    allowed: `publish = '${publish}', publish_via_partition_root = true`,
    next: `As its owner: ALTER PUBLICATION ${identifier(name)} SET (publish = '${publish}', publish_via_partition_root = true).`,
  });
}

async function alter(client: pg.Client, name: string, statements: readonly string[]): Promise<void> {
  try {
    // One message to the server is one transaction, or part of the one that is open.
    await client.query(statements.join("; "));
  } catch (cause) {
    if (codeOf(cause) !== "42501") throw cause;
    throw new TerminalError(`no right to make or change publication ${name}`, {
      code: "PUBLICATION_GRANT",
      value: name,
      allowed: "CREATE on the database and ownership of the tables, or a publication that covers them",
      next: `As owner of the tables, run: ${statements.join("; ")}`,
      cause,
    });
  }
}
