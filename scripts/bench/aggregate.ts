/** The query of the scan benchmark. */
import type { Table } from "../../lakehouse/table/table.ts";
import { timed } from "./bench.ts";

/** SQL of the aggregate that everyone computes, as one text. */
export const aggregateSql = (relation: string): string =>
  `SELECT concat_ws('|', count(*), sum(total), sum(user_id), max(updated_at)) AS answer FROM ${relation}`;

/** Asks for the aggregate through Ingot: the newest version, the choice of files, the rows. */
export async function askIngot(
  table: Table,
  where: string,
): Promise<{ readonly answer: unknown; readonly plan: number }> {
  const planned = await timed(async () => (await table.snapshot()).scan({ where }));
  const [row] = await table.kernel.duckdb.rows(aggregateSql(`(${planned.result.sql})`));
  return { answer: row?.answer, plan: planned.milliseconds };
}
