import type { CommitOutcome } from "../../lakehouse/delta/commit.ts";
import { field, type StructType } from "../../lakehouse/delta/schema.ts";
import type { Lake } from "../../lakehouse/lake.ts";

const SCHEMA: StructType = { type: "struct", fields: [field("n", "long")] };

/** Appends one row to `p/bronze/t`, with its number as the position of the commit. */
export async function appendOnce(lake: Lake, n: number): Promise<CommitOutcome> {
  const table = lake.table("p/bronze/t");
  const base = await table.snapshot();
  const session = await lake.duckdb.session();
  try {
    return await table.write({
      operation: "WRITE",
      base,
      schema: SCHEMA,
      staged: await table.stage(session, `SELECT ${n}::BIGINT AS n`, SCHEMA),
      reads: "nothing",
      transactions: [{ appId: "job", version: n }],
    });
  } finally {
    await session.close();
  }
}
