/** Watches how long Ingot's statements run on a server. */
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { z } from "zod";

const LOOK_MS = 50;
const LONGEST_SQL = `
  SELECT coalesce(max(extract(epoch FROM clock_timestamp() - query_start) * 1000), 0)::float8 AS milliseconds
    FROM pg_stat_activity
   WHERE application_name = 'ingot' AND state = 'active'`;
const longestRow = z.object({ milliseconds: z.number() });

/**
 * Runs work and says how long the longest statement ran meanwhile. Looks every 50 ms, so that it may have run up to so
 * much longer.
 */
export async function watchingStatements<T>(
  connectionString: string,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly longestStatementMs: number }> {
  const client = new pg.Client({ connectionString, application_name: "bench" });
  await client.connect();
  const over = new AbortController();
  const watching = watch(client, over.signal);
  try {
    const result = await work();
    over.abort();
    return { result, longestStatementMs: await watching };
  } finally {
    over.abort();
    await watching.catch(() => {});
    await client.end();
  }
}

async function watch(client: pg.Client, over: AbortSignal): Promise<number> {
  let longest = 0;
  while (!over.aborted) {
    const { milliseconds } = longestRow.parse((await client.query(LONGEST_SQL)).rows[0]);
    longest = Math.max(longest, milliseconds);
    await delay(LOOK_MS, undefined, { signal: over }).catch(() => {});
  }
  return longest;
}
