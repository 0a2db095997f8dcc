/**
 * Whom the making of a slot waits for. Postgres looks for a place in its WAL before which every transaction has ended
 * that was writing when it began to look, in whatever database of the server, prepared ones too; and says nothing
 * meanwhile.
 */
import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import { z } from "zod";
import { messageOf } from "../../../../lakehouse/errors.ts";
import type { ProgressListener } from "../../../../lakehouse/progress.ts";
import { connect, disconnect } from "../connect.ts";

/** Milliseconds until the wait is spoken of, and between looks at what it is for. */
const PATIENCE = 2_000;
const INTERVAL = 5_000;
/** Transactions that are named, the oldest first. */
const NAMED = 3;

const holderRow = z.object({
  name: z.string(),
  seconds: z.coerce.number().nullable(),
  total: z.coerce.number(),
  prepared: z.coerce.number(),
});

// What the connection waits for at this moment is told by its lock; the others by their age.
const HOLDERS_SQL = `
  WITH writers AS (
    SELECT format('%s, pid %s, database %s', coalesce(nullif(application_name, ''), 'no application_name'), pid, datname) AS name,
           false AS prepared, xact_start AS since, backend_xid AS xid
      FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> $1
    UNION ALL
    SELECT format('prepared transaction %L, database %s', gid, database), true, prepared, transaction FROM pg_prepared_xacts)
  SELECT name, floor(extract(epoch FROM clock_timestamp() - since))::text AS seconds,
         count(*) OVER ()::text AS total, count(*) FILTER (WHERE prepared) OVER ()::text AS prepared
    FROM writers
   WHERE since <= clock_timestamp() - $2::float8 * interval '1 millisecond'
      OR xid IN (SELECT transactionid FROM pg_locks WHERE pid = $1 AND locktype = 'transactionid' AND NOT granted)
   ORDER BY since NULLS FIRST LIMIT ${NAMED}`;

export interface SlotWait {
  readonly connectionString: string;
  readonly onProgress: ProgressListener;
  /** What the progress is of: `slot ingot_shop`. */
  readonly task: string;
  /** The backend that makes the slot. */
  readonly pid: number;
}

/** Does the work, which makes a slot; says who is waited for where it takes its time. */
export async function sayingWhoIsWaitedFor<T>(wait: SlotWait, work: () => Promise<T>): Promise<T> {
  const over = new AbortController();
  const watching = watch(wait, over.signal);
  try {
    return await work();
  } finally {
    over.abort();
    await watching;
  }
}

async function watch(
  { connectionString, onProgress, task, pid }: SlotWait,
  over: AbortSignal,
): Promise<void> {
  const began = performance.now();
  let client: pg.Client | undefined;
  try {
    for (let pause = PATIENCE; ; pause = INTERVAL) {
      await delay(pause, undefined, { signal: over });
      client ??= await connect(connectionString);
      const { rows } = await client.query(HOLDERS_SQL, [pid, performance.now() - began]);
      const note = describe(z.array(holderRow).parse(rows));
      if (!over.aborted) onProgress({ task, state: "running", note });
    }
  } catch (error) {
    // The slot is being made nevertheless; its own connection says what becomes of it.
    if (!over.aborted) onProgress({ task, state: "running", note: `waiting; for whom: ${messageOf(error)}` });
  } finally {
    if (client !== undefined) {
      onProgress({ task, state: "done", note: "the wait is over" });
      await disconnect(client);
    }
  }
}

function describe(holders: readonly z.output<typeof holderRow>[]): string {
  const [first] = holders;
  if (first === undefined) return "waiting for the source to find a place where no transaction is writing";
  const what = first.total === 1 ? "1 transaction that is" : `${first.total} transactions that are`;
  const prepared = first.prepared === 0 ? "" : ` (${first.prepared} prepared)`;
  const names = holders.map(({ name, seconds }) =>
    seconds === null ? name : `${name}, open for ${seconds} s`,
  );
  return `waiting for ${what} writing${prepared}: ${names.join("; ")}${first.total > holders.length ? "; …" : ""}`;
}
