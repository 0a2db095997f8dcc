/**
 * Where an operation on rows works: a schema of its own in a DuckDB session, with the rows that it touches and those
 * that it writes. What is large there spills to disk.
 */
import { randomUUID } from "node:crypto";
import type { DuckDb, Session } from "../../duckdb/duckdb.ts";
import { identifier } from "../../duckdb/quote.ts";

/** Columns that locate a row: index into the list of scanned files, and its place in the file. */
export const FILE = "_ingot_file";
export const ROW = "_ingot_row";
/** What becomes of a row: `update` or `delete` of touched ones, `update` or `insert` of written ones. */
export const KIND = "_ingot_kind";

export interface Workspace {
  readonly session: Session;
  /** A qualified name in this workspace, quoted. */
  readonly name: (table: string) => string;
}

/** Runs `work` in a workspace, in the given session or one of its own, and clears up after it. */
export async function inWorkspace<T>(
  duckdb: DuckDb,
  given: Session | undefined,
  work: (workspace: Workspace) => Promise<T>,
): Promise<T> {
  const session = given ?? (await duckdb.session());
  const schema = identifier(`ingot_${randomUUID()}`);
  try {
    await session.run(`CREATE SCHEMA ${schema}`);
    return await work({ session, name: (table) => `${schema}.${identifier(table)}` });
  } finally {
    if (given === undefined) await session.close();
    // After a failed statement there may be nothing to drop; the session's catalog goes with the session.
    else await session.run(`DROP SCHEMA IF EXISTS ${schema} CASCADE`).catch(() => {});
  }
}
