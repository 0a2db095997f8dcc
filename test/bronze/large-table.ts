/** Tables whose load is cut into several ranges, whatever the server's version. */
import { serverMajor, type TestDatabase } from "../support/postgres.ts";

/** From this major on a server reads some blocks of a table without looking at the others. */
export const DIVIDES = serverMajor >= 14;

const PARTITION = 1000;

/**
 * Creates a table of `id`, `n` (0) and `pad` with ids from 1. A server that cannot divide a table reads it partition by
 * partition: there it gets some.
 */
export async function createLarge(
  database: Pick<TestDatabase, "query">,
  table: string,
  rows = 15_000,
): Promise<void> {
  const columns = "(id bigint PRIMARY KEY, n integer, pad text)";
  await database.query(`CREATE TABLE ${table} ${columns}${DIVIDES ? "" : " PARTITION BY RANGE (id)"}`);
  if (!DIVIDES) {
    await database.query(`CREATE TABLE ${table}_rest PARTITION OF ${table} DEFAULT`);
    for (let from = 0; from < rows; from += PARTITION) {
      await database.query(
        `CREATE TABLE ${table}_${from} PARTITION OF ${table} FOR VALUES FROM (${from}) TO (${from + PARTITION})`,
      );
    }
  }
  await database.query(
    `INSERT INTO ${table} SELECT g, 0, repeat('p', 200) FROM generate_series(1, ${rows}) g`,
  );
}
