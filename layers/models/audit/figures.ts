/** Audits of a figure of the table as a whole. */
import type { AddFile } from "../../../lakehouse/delta/actions.ts";
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import type { StructField } from "../../../lakehouse/delta/schema.ts";
import { bounds, nullCount, parseFileStats } from "../../../lakehouse/delta/skip/file-stats.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import { countRows, rowCount } from "../../../lakehouse/delta/stats.ts";
import { identifier } from "../../../lakehouse/duckdb/quote.ts";
import type { RowCountLimits } from "../../definition/audit.ts";
import { contractSchema } from "../contract.ts";
import type { ModelRun } from "../run.ts";
import type { AuditedTable } from "./audited-table.ts";

interface Figure {
  readonly holds: boolean;
  readonly detail?: string;
}

type Audited = Pick<ModelRun, "model" | "target">;

/** Statistics cut timestamps to milliseconds; read as upper bounds they are that much too late at most. */
const STATS_MICROS = 999n;

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
  const newest = await newestMicros(run, table, field);
  if (newest === undefined) return { holds: true, detail: "no values" };
  if (newest >= since) return { holds: true };
  const isShown = model.contract.columns[column]?.sensitivity === undefined;
  const at = new Date(Number(newest / 1000n)).toISOString();
  return { holds: false, detail: isShown ? `newest ${at}` : "too old" };
}

/**
 * The newest value, a day as its midnight, in microseconds of UTC; cut to milliseconds where statistics tell it. Files
 * that cannot hold it are not read. Undefined where there is no value.
 */
async function newestMicros(
  { target }: Audited,
  table: AuditedTable,
  field: StructField,
): Promise<bigint | undefined> {
  const files = [...table.snapshot.files.values()].map((file) => ({ file, ...statedNewest(file, field) }));
  const stated = files.flatMap(({ exact }) => exact ?? []);
  const known = stated.reduce<bigint | undefined>((a, b) => (a === undefined || b > a ? b : a), undefined);
  const unsure = files.filter(
    ({ exact, atMost, isEmpty }) =>
      !isEmpty && exact === undefined && (atMost === undefined || known === undefined || atMost > known),
  );
  if (unsure.length === 0) return known;
  const session = await table.session();
  const part = { ...scannable(table.snapshot), files: unsure.map(({ file }) => file) };
  const [found] = await session.rows(
    `SELECT epoch_us(max(${identifier(field.name)})::TIMESTAMP)::VARCHAR AS newest FROM (${await scanSql(target.store, part)})`,
  );
  const read = typeof found?.newest === "string" ? BigInt(found.newest) : undefined;
  return known === undefined || (read !== undefined && read > known) ? read : known;
}

/** What statistics say of the newest value of a file: that of one without deleted rows is the greatest. */
function statedNewest(file: AddFile, { name, type }: StructField) {
  const stats = parseFileStats(file.stats);
  const { max } = bounds(stats, [name], type);
  const atMost = max?.kind === "time" ? max.micros : undefined;
  const isTight = file.deletionVector === undefined && !stats.wide;
  const cut = type === "date" ? 0n : STATS_MICROS;
  const exact = isTight && atMost !== undefined ? atMost - cut : undefined;
  return { atMost, exact, isEmpty: !nullCount(stats, [name]).mayBeValue };
}
