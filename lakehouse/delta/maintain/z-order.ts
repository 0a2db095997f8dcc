/** Writing rows in z-order: each file holds a cell of values that no other file of the same run has a part of. */
import { rm } from "node:fs/promises";
import type { Row, Session } from "../../duckdb/duckdb.ts";
import { readParquet } from "../../duckdb/duckdb.ts";
import { identifiers, literal } from "../../duckdb/quote.ts";
import { makeScratch } from "../../scratch.ts";
import type { Layout } from "../layout.ts";
import type { StructField } from "../schema.ts";
import { joinStaged, type Staged } from "../stage.ts";
import type { DeltaTable } from "../table.ts";
import { cellSql, divide, type Ranks } from "./z-order-cells.ts";
import { rankSqls, sampleColumns, zValueSql } from "./z-order-sql.ts";

const RANKS = "_ingot_ranks";
const Z = "_ingot_z";
const CELL = "_ingot_cell";
const SAMPLE = "_ingot_sample";
/** Cells are estimated: a file may come out this much larger before it is divided. */
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
  const ranks = await rankSqls(session, SAMPLE, columns);
  const count = Math.max(1, Math.ceil(bytes / layout.targetFileBytes));
  const cells = divide(count === 1 ? [] : await sampledRanks(session, ranks), count);
  await session.run(`DROP TABLE ${SAMPLE}`);
  const ranked = columns.map((_, i) => `${RANKS}[${i + 1}]`);
  const ordered = `SELECT * EXCLUDE (${RANKS}), ${zValueSql(ranked)} AS ${Z}, ${cellSql(cells, ranked)} AS ${CELL} FROM (SELECT *, [${ranks.join(", ")}] AS ${RANKS} FROM (${sql}\n))`;
  const orderBy = `${Z}, ${identifiers(columns.map((f) => f.name))}`;
  const tolerant = { ...layout, targetFileBytes: layout.targetFileBytes * TOLERANCE };
  if ("cell" in cells) return table.stageAs(session, ordered, tolerant, { orderBy });
  const folder = await makeScratch();
  const parts: Staged[] = [];
  try {
    const written = await session.rows(
      `COPY (${ordered}) TO ${literal(`${folder}/parts`)} (FORMAT parquet, PARTITION_BY (${CELL}), FILENAME_PATTERN 'part-{uuid}', RETURN_STATS)`,
    );
    for (const files of byCell(written)) {
      parts.push(await table.stageAs(session, `FROM ${readParquet(files)}`, tolerant, { orderBy }));
    }
    return joinStaged(parts);
  } catch (error) {
    await table.discard(joinStaged(parts));
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Ranks of the sample, a row each. */
async function sampledRanks(session: Session, ranks: readonly string[]): Promise<Ranks[]> {
  const rows: Ranks[] = [];
  for await (const columns of await session.numbers(
    `SELECT ${ranks.map((rank, i) => `${rank} AS r${i}`).join(", ")} FROM ${SAMPLE}`,
  )) {
    const [first = new Float64Array()] = columns;
    for (const i of first.keys()) rows.push(columns.map((column) => column[i] ?? 0));
  }
  return rows;
}

/** Files of each cell. */
function byCell(written: readonly Row[]): string[][] {
  const cells = new Map<number, string[]>();
  for (const row of written) {
    const keys = (row.partition_keys ?? {}) as Readonly<Record<string, unknown>>;
    const cell = Number(keys[CELL]);
    cells.set(cell, [...(cells.get(cell) ?? []), String(row.filename)]);
  }
  return [...cells].sort(([a], [b]) => a - b).map(([, files]) => files);
}
