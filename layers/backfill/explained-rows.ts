/** What the planner of Postgres expects of a condition. */
import { z } from "zod";
import { connect, disconnect } from "../bronze/postgres/connect.ts";

const explained = z
  .array(z.object({ Plan: z.object({ "Plan Rows": z.number(), "Plan Width": z.number() }) }))
  .min(1);

/** Rows and bytes that a condition on a table leaves, as the source estimates; no row is read. */
export async function explainedRows(
  connectionString: string,
  table: string,
  where: string,
): Promise<{ readonly rows: number; readonly bytes: number }> {
  const client = await connect(connectionString);
  try {
    const { rows } = await client.query(`EXPLAIN (FORMAT JSON) SELECT * FROM ${table} WHERE ${where}`);
    const row = z.object({ "QUERY PLAN": explained }).parse(rows[0]);
    const plan = row["QUERY PLAN"][0]?.Plan;
    const count = plan?.["Plan Rows"] ?? 0;
    return { rows: count, bytes: count * (plan?.["Plan Width"] ?? 0) };
  } finally {
    await disconnect(client);
  }
}
