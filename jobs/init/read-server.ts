/** What the server says of itself and of this user, as far as it decides how changes can be found. */
import type pg from "pg";
import { z } from "zod";

const publicationRow = z.object({
  name: z.string(),
  /** Whether it takes every table of the database. */
  all: z.boolean(),
  root: z.boolean(),
  inserts: z.boolean(),
  changes: z.boolean(),
  owned: z.boolean(),
  tables: z.array(z.number()),
});

/** A publication that exists. `tables`: ids in `pg_class`; `inserts`, `changes`: the operations it publishes. */
export type Publication = z.infer<typeof publicationRow>;

const serverRow = z.object({
  version: z.number(),
  database: z.string(),
  user: z.string(),
  walLevel: z.string(),
  replica: z.boolean(),
  mayReplicate: z.boolean(),
  mayCreate: z.boolean(),
  freeSlots: z.number(),
  backend: z.number(),
});

/** `mayCreate`: whether this user may create things in the database, publications among them. */
export type Server = Omit<z.infer<typeof serverRow>, "backend"> & {
  /** Whether a pooler answers in the server's place: replication does not go through one. */
  readonly pooled: boolean;
  readonly publications: readonly Publication[];
};

const SERVER_SQL = `
  SELECT current_setting('server_version_num')::int / 10000 AS version, current_database()::text AS database,
         current_user::text AS user, current_setting('wal_level') AS "walLevel", pg_is_in_recovery() AS replica,
         coalesce((SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user), false)
           OR EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_replication' AND pg_has_role(oid, 'MEMBER'))
           AS "mayReplicate",
         has_database_privilege(current_database(), 'CREATE') AS "mayCreate",
         current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_slots)::int AS "freeSlots",
         pg_backend_pid() AS backend`;

const PUBLICATIONS_SQL = `
  SELECT pubname::text AS name, puballtables AS all, pubviaroot AS root, pubinsert AND pubtruncate AS inserts,
         pubinsert AND pubtruncate AND pubupdate AND pubdelete AS changes, pg_has_role(pubowner, 'USAGE') AS owned,
         ARRAY(SELECT prrelid::int8::float8 FROM pg_publication_rel WHERE prpubid = p.oid) AS tables
    FROM pg_publication p ORDER BY pubname`;

export async function readServer(client: pg.Client): Promise<Server> {
  const { backend, ...server } = serverRow.parse((await client.query(SERVER_SQL)).rows[0]);
  const { processID } = client as unknown as { readonly processID: number | null };
  const { rows } = await client.query(PUBLICATIONS_SQL);
  return {
    ...server,
    pooled: processID !== null && processID !== backend,
    publications: z.array(publicationRow).parse(rows),
  };
}
