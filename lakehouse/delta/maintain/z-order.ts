/** Writing rows in z-order: each file holds a range of it that no other file of the same run touches. */
import { rm } from "node:fs/promises";
import type { Row, Session } from "../../duckdb/duckdb.ts";
import { readParquet } from "../../duckdb/duckdb.ts";
import { identifiers, literal } from "../../duckdb/quote.ts";
import { makeScratch } from "../../scratch.ts";
import type { Layout } from "../layout.ts";
import type { StructField } from "../schema.ts";
import type { Staged } from "../stage.ts";
import type { DeltaTable } from "../table.ts";
import { bucketSql, sampleColumns, zLimits, zValueSql } from "./z-order-sql.ts";

const Z = "_ingot_z";
const BUCKET = "_ingot_bucket";
const SAMPLE = "_ingot_sample";
/** Ranges are estimated: a file may come out this much larger before it is divided. */
const TOLERANCE = 1.5;

/**
 * Stages the rows of `sql`, of about `bytes`, in files of the layout's target size. Rows are parted on disk first,
 * and each part is sorted by itself: memory does not grow with the rows, and neighbouring files do not overlap, as
 * they may when several threads write one sorted result.
 */
export async function stageInZOrder(
  table: DeltaTable,
  session: Session,
  sql: string,
  layout: Layout,
  columns: readonly StructField[],
  bytes: number,
): Promise<Staged> {
  await sampleColumns(session, sql, columns, SAMPLE);
  const zValue = await zValueSql(session, SAMPLE, columns);
  const count = Math.max(1, Math.ceil(bytes / layout.targetFileBytes));
  const limits = count === 1 ? [] : await zLimits(session, SAMPLE, zValue, count);
  await session.run(`DROP TABLE ${SAMPLE}`);
  const orderBy = `${Z}, ${identifiers(columns.map((f) => f.name))}`;
  const ordered = `SELECT *, ${zValue} AS ${Z} FROM (${sql}\n)`;
  const tolerant = { ...layout, targetFileBytes: layout.targetFileBytes * TOLERANCE };
  if (limits.length === 0) return table.stageAs(session, ordered, tolerant, { orderBy });
  const folder = await makeScratch();
  const parts: Staged[] = [];
  try {
    const written = await session.rows(
      `COPY (SELECT *, ${bucketSql(Z, limits)} AS ${BUCKET} FROM (${ordered})) TO ${literal(`${folder}/parts`)} (FORMAT parquet, PARTITION_BY (${BUCKET}), FILENAME_PATTERN 'part-{uuid}', RETURN_STATS)`,
    );
    for (const files of byBucket(written)) {
      parts.push(await table.stageAs(session, `FROM ${readParquet(files)}`, tolerant, { orderBy }));
    }
    return together(parts);
  } catch (error) {
    await table.discard(together(parts));
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Files of each bucket, buckets in order. */
function byBucket(written: readonly Row[]): string[][] {
  const buckets = new Map<number, string[]>();
  for (const row of written) {
    const keys = (row.partition_keys ?? {}) as Readonly<Record<string, unknown>>;
    const bucket = Number(keys[BUCKET]);
    buckets.set(bucket, [...(buckets.get(bucket) ?? []), String(row.filename)]);
  }
  return [...buckets].sort(([a], [b]) => a - b).map(([, files]) => files);
}

function together(parts: readonly Staged[]): Staged {
  return {
    files: parts.flatMap((part) => part.files),
    rows: parts.reduce((sum, part) => sum + part.rows, 0),
    bytes: parts.reduce((sum, part) => sum + part.bytes, 0),
    nulls: new Map(),
  };
}
