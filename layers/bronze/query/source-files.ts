import type pg from "pg";
import { z } from "zod";

const digestRow = z.object({ digest: z.string().nullable() });

/**
 * Digest of the files that hold the rows of relations, in the order of their ids; another one tells that rows were
 * written anew without being changed, or that a table was truncated. Lock the relations first.
 */
export async function filesOf(client: pg.Client, relations: readonly string[]): Promise<string> {
  const { rows } = await client.query(
    `SELECT md5(string_agg(format('%s:%s', id, pg_relation_filenode(id::oid)), ',' ORDER BY id)) AS digest
       FROM unnest($1::text[]) AS r(id)`,
    [relations],
  );
  return digestRow.parse(rows[0]).digest ?? "";
}
