/** The newest value of a column of times: by the statistics of files, as far as they say it. */
import type { AddFile } from "../../../lakehouse/delta/actions.ts";
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import type { StructField } from "../../../lakehouse/delta/schema.ts";
import { bounds, nullCount, parseFileStats } from "../../../lakehouse/delta/skip/file-stats.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../../lakehouse/delta/table.ts";
import type { Row } from "../../../lakehouse/duckdb/duckdb.ts";
import { identifier } from "../../../lakehouse/duckdb/quote.ts";

/** Statistics cut timestamps to milliseconds; read as upper bounds they are that much too late at most. */
const STATS_MICROS = 999n;

/**
 * The newest value, a day as its midnight, in microseconds of UTC; cut to milliseconds where statistics tell it. Files
 * that cannot hold it are not read; the others are by `query`. Undefined where there is no value.
 */
export async function newestMicros(
  { store }: Pick<DeltaTable, "store">,
  snapshot: Snapshot,
  field: StructField,
  query: (sql: string) => Promise<readonly Row[]>,
): Promise<bigint | undefined> {
  const files = [...snapshot.files.values()].map((file) => ({ file, ...statedNewest(file, field) }));
  const stated = files.flatMap(({ exact }) => exact ?? []);
  const known = stated.reduce<bigint | undefined>((a, b) => (a === undefined || b > a ? b : a), undefined);
  const unsure = files.filter(
    ({ exact, atMost, isEmpty }) =>
      !isEmpty && exact === undefined && (atMost === undefined || known === undefined || atMost > known),
  );
  if (unsure.length === 0) return known;
  const part = { ...scannable(snapshot), files: unsure.map(({ file }) => file) };
  const [found] = await query(
    `SELECT epoch_us(max(${identifier(field.name)})::TIMESTAMP)::VARCHAR AS newest FROM (${await scanSql(store, part)})`,
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
