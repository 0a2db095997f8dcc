/** Audits of a figure of the table as a whole. */
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import { countRows, rowCount } from "../../../lakehouse/delta/stats.ts";
import type { RowCountLimits } from "../../definition/audit.ts";
import { contractSchema } from "../contract.ts";
import type { ModelRun } from "../run.ts";
import type { AuditedTable } from "./audited-table.ts";
import { newestMicros } from "./newest-value.ts";

interface Figure {
  readonly holds: boolean;
  readonly detail?: string;
}

type Audited = Pick<ModelRun, "model" | "target">;

/** How many rows the table has, against its limits and what it had. */
export async function countFigure(
  run: Audited,
  table: AuditedTable,
  { min = 0, max = Number.POSITIVE_INFINITY, changeAtMost }: RowCountLimits,
): Promise<Figure> {
  const rows = await rowsOf(run, table, table.snapshot);
  const before = table.base && changeAtMost !== undefined ? await rowsOf(run, table, table.base) : 0;
  const isWithin = rows >= min && rows <= max;
  // Of a table without rows every change is without measure.
  if (changeAtMost === undefined || before === 0) return { holds: isWithin, detail: `${rows} rows` };
  const holds = isWithin && Math.abs(rows - before) <= changeAtMost * before;
  return { holds, detail: `${rows} rows, ${before} before` };
}

async function rowsOf({ target }: Audited, table: AuditedTable, snapshot: Snapshot): Promise<number> {
  const files = [...snapshot.files.values()];
  if (files.every((file) => rowCount(file) !== undefined)) return countRows(files);
  const session = await table.session();
  const sql = await scanSql(target.store, scannable(snapshot));
  const [counted] = await session.rows(`SELECT count(*) AS rows FROM (${sql})`);
  return Number(counted?.rows);
}

/** Whether the newest value of a column is at most so many minutes old. */
export async function freshFigure(
  run: Audited,
  table: AuditedTable,
  { column, within }: { readonly column: string; readonly within: number },
): Promise<Figure> {
  const { model, target } = run;
  const field = contractSchema(model.contract).fields.find(({ name }) => name === column);
  if (field === undefined) throw new RangeError(`no column ${column}`);
  const since = BigInt(Math.floor(target.now() - within * 60_000)) * 1000n;
  const query = async (sql: string) => (await table.session()).rows(sql);
  const newest = await newestMicros(target, table.snapshot, field, query);
  if (newest === undefined) return { holds: true, detail: "no values" };
  if (newest >= since) return { holds: true };
  const isShown = model.contract.columns[column]?.sensitivity === undefined;
  const at = new Date(Number(newest / 1000n)).toISOString();
  return { holds: false, detail: isShown ? `newest ${at}` : "too old" };
}
