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
import type { TableDescription } from "../catalog.ts";

const OWN = "made by Ingot";

/** Names of a pipeline's slot and publications. */
export function replicationNames({ name, source }: PipelineDefinition): {
  readonly slot: string;
  readonly publications: readonly [changes: string, inserts: string];
} {
  const publication = source.wal?.publication ?? `ingot_${name}`;
  return { slot: source.wal?.slot ?? `ingot_${name}`, publications: [publication, `${publication}_inserts`] };
}

const qualifiedName = (table: Pick<TableDescription, "schema" | "name">) =>
  `${identifier(table.schema)}.${identifier(table.name)}`;

const publicationRow = z.object({
  all: z.boolean(),
  root: z.boolean(),
  operations: z.boolean(),
  own: z.boolean(),
  tables: z.array(z.string()),
});
type Publication = z.infer<typeof publicationRow>;

/** Makes the publications cover these tables, and no others where Ingot made them. */
export async function ensurePublication(
  client: pg.Client,
  pipeline: PipelineDefinition,
  tables: readonly TableDescription[],
): Promise<void> {
  const [changes, inserts] = replicationNames(pipeline).publications;
  const identified = tables.filter(publishesChanges);
  await ensure(client, changes, identified, "insert, update, delete, truncate");
  await ensure(
    client,
    inserts,
    tables.filter((table) => !identified.includes(table)),
    "insert, truncate",
  );
}

/** Whether updates and deletes of the table's rows can be published: they have a key, or are sent whole. */
function publishesChanges(table: TableDescription): boolean {
  return table.replicaIdentity === "f" || table.identityColumns.length > 0;
}

async function ensure(
  client: pg.Client,
  name: string,
  tables: readonly TableDescription[],
  publish: string,
): Promise<void> {
  const found = await find(client, name);
  const wanted = tables.map(qualifiedName);
  if (found === undefined) {
    const list = wanted.length > 0 ? ` FOR TABLE ${wanted.join(", ")}` : "";
    const sql = `CREATE PUBLICATION ${identifier(name)}${list} WITH (publish = ${literal(publish)}, publish_via_partition_root = true)`;
    await alter(client, name, [sql, `COMMENT ON PUBLICATION ${identifier(name)} IS ${literal(OWN)}`]);
    return;
  }
  check(name, found, publish);
  if (found.all) return;
  const missing = wanted.filter((table) => !found.tables.includes(table));
  const surplus = found.own ? found.tables.filter((table) => !wanted.includes(table)) : [];
  const statements: string[] = [];
  if (missing.length > 0)
    statements.push(`ALTER PUBLICATION ${identifier(name)} ADD TABLE ${missing.join(", ")}`);
  if (surplus.length > 0)
    statements.push(`ALTER PUBLICATION ${identifier(name)} DROP TABLE ${surplus.join(", ")}`);
  if (statements.length > 0) await alter(client, name, statements);
}

async function find(client: pg.Client, name: string): Promise<Publication | undefined> {
  const { rows } = await client.query(
    `SELECT puballtables AS all, pubviaroot AS root, obj_description(p.oid, 'pg_publication') = $2 IS TRUE AS own,
            pubinsert AND pubtruncate AND (NOT $3 OR (pubupdate AND pubdelete)) AS operations,
            (SELECT coalesce(array_agg(format('%s.%s', '"' || replace(n.nspname, '"', '""') || '"', '"' || replace(c.relname, '"', '""') || '"')), '{}')
               FROM pg_publication_rel r JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE r.prpubid = p.oid) AS tables
       FROM pg_publication p WHERE pubname = $1`,
    [name, OWN, !name.endsWith("_inserts")],
  );
  return rows.length === 0 ? undefined : publicationRow.parse(rows[0]);
}

function check(name: string, found: Publication, publish: string): void {
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
    for (const sql of statements) await client.query(sql);
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
