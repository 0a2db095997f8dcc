/**
 * A snapshot at an exactly known place of the WAL: a logical slot is created, and what its exported snapshot shows is
 * what committed before its consistent point, no more and no less. Rows read under it and changes streamed from that
 * point on join without gap and without overlap, whoever is writing meanwhile.
 */
import { randomBytes } from "node:crypto";
import type pg from "pg";
import { z } from "zod";
import { identifier } from "../../../../lakehouse/duckdb/quote.ts";
import type { ProgressListener } from "../../../../lakehouse/progress.ts";
import { disconnect } from "../connect.ts";
import { parseLsn } from "../lsn.ts";
import { connectForReplication } from "./connection.ts";
import { sayingWhoIsWaitedFor } from "./slot-wait.ts";

const backend = z.object({ pid: z.coerce.number() });
const created = z.object({ consistent_point: z.string(), snapshot_name: z.string() });

export interface SlotSnapshot {
  /** Transactions whose commit record begins before it are visible in the snapshot, all others are not. */
  readonly lsn: bigint;
  /** For `SET TRANSACTION SNAPSHOT`; usable until `end`. */
  readonly snapshot: string;
  /** Closes the connection that holds the snapshot. A slot that was given a name stays, one without is gone. */
  end(): Promise<void>;
}

export interface SlotRequest {
  readonly connectionString: string;
  readonly onProgress: ProgressListener;
}

/**
 * Creates a slot and the snapshot of its consistent point; without `slot`, one that lives only as long as the
 * snapshot. Waits until every transaction has ended that is writing when it is called, and says for which.
 */
export async function createSlotSnapshot(
  { connectionString, onProgress }: SlotRequest,
  slot?: string,
): Promise<SlotSnapshot> {
  const client = await connectForReplication(connectionString);
  try {
    const name = slot ?? `ingot_read_${randomBytes(6).toString("hex")}`;
    const wait = { connectionString, onProgress, task: `slot ${name}`, pid: await backendOf(client) };
    const { rows } = await sayingWhoIsWaitedFor(wait, () =>
      client.query(
        `CREATE_REPLICATION_SLOT ${identifier(name)} ${slot === undefined ? "TEMPORARY " : ""}LOGICAL pgoutput EXPORT_SNAPSHOT`,
      ),
    );
    const { consistent_point, snapshot_name } = created.parse(rows[0]);
    return { lsn: parseLsn(consistent_point), snapshot: snapshot_name, end: () => disconnect(client) };
  } catch (error) {
    await disconnect(client);
    throw error;
  }
}

async function backendOf(client: pg.Client): Promise<number> {
  return backend.parse((await client.query("SELECT pg_backend_pid() AS pid")).rows[0]).pid;
}
