/** Filtered aggregates over a table of 500 files: through Ingot, against DuckDB reading the same files by name. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatDuration, groupDigits } from "../../jobs/terminal/numbers.ts";
import { fileAddresses, scannable } from "../../lakehouse/delta/scan.ts";
import { DuckDb, readParquet } from "../../lakehouse/duckdb/duckdb.ts";
import { createTable, openTable } from "../../lakehouse/table/open.ts";
import type { Table } from "../../lakehouse/table/table.ts";
import { aggregateSql, askIngot } from "./aggregate.ts";
import { type Bench, median, rounded, timed } from "./bench.ts";
import { linkTable, ORDERS, ordersSql } from "./orders.ts";
import { scanS3 } from "./scan-s3.ts";

const [ROWS, FILES] = [10_000_000, 500];
/** Each round asks so often: single queries are short, and the machine is not equally fast all the time. */
const REPEATS = 5;

export const scanBench: Bench = async ({ scale, rounds, say }) => {
  const rows = Math.max(50_000, Math.round(ROWS * scale));
  const folder = await mkdtemp(join(tmpdir(), "ingot-bench-"));
  // What is kept of these tables goes with them.
  process.env.INGOT_CACHE = join(folder, "cache");
  const duckdb = await DuckDb.open({ memoryMb: 2048, threads: 2 });
  try {
    say(`writing ${groupDigits(rows)} rows in ${FILES} files`);
    const table = await writeTable(duckdb, join(folder, "table"), rows);
    // A hundredth of the keys, which stand together: the statistics of nearly all files exclude them.
    const part = `id BETWEEN ${Math.floor(rows / 2)} AND ${Math.floor(rows / 2 + rows / 100)}`;
    const everywhere = "quantity % 3 = 1";
    const repeats = rounds * REPEATS;
    const full = await compare(table, everywhere, repeats);
    const selective = await compare(table, part, repeats);
    await linkTable(join(folder, "table"), join(folder, "vectors"));
    const vectors = await openTable(join(folder, "vectors"), { duckdb });
    await vectors.alter({ setProperties: { "delta.enableDeletionVectors": "true" } });
    await vectors.delete("id % 100 = 7");
    const deleted = await compare(vectors, everywhere, repeats, "id % 100 <> 7");
    say(
      `all files: Ingot ${formatDuration(full.ingot)}, DuckDB ${formatDuration(full.parquet)}; a hundredth of the keys: ${formatDuration(selective.ingot)}, ${formatDuration(selective.parquet)}; with deletion vectors ${formatDuration(deleted.ingot)}, ${formatDuration(deleted.parquet)}`,
    );
    return {
      rows,
      files: FILES,
      parquetRatio: rounded(full.ratio),
      selectiveRatio: rounded(selective.ratio),
      vectorsRatio: rounded(deleted.ratio),
      scanMs: rounded(full.ingot),
      parquetMs: rounded(full.parquet),
      planMs: rounded(full.plan),
      selectiveMs: rounded(selective.ingot),
      selectiveParquetMs: rounded(selective.parquet),
      vectorsMs: rounded(deleted.ingot),
      vectorsParquetMs: rounded(deleted.parquet),
      ...(await scanS3({ table, folder, where: everywhere, rounds, say })),
    };
  } finally {
    duckdb.close();
    await rm(folder, { recursive: true, force: true });
  }
};

/** A table whose files follow one another by key. */
async function writeTable(duckdb: DuckDb, place: string, rows: number): Promise<Table> {
  const table = await createTable(place, { schema: ORDERS, duckdb });
  const size = Math.floor(rows / FILES);
  for (let file = 0; file < FILES; file++) {
    const [from, to] = [file * size, file === FILES - 1 ? rows : (file + 1) * size];
    await table.append({ sql: ordersSql(`SELECT i AS id FROM range(${from}, ${to}) t(i)`) });
  }
  return table;
}

/**
 * Asks Ingot and DuckDB by turns; milliseconds are medians, `ratio` that of neighbours in time. `also`: what DuckDB
 * has to be told beside the filter to give the same answer.
 */
async function compare(table: Table, where: string, repeats: number, also?: string) {
  const { duckdb, store } = table.kernel;
  const { state } = await table.snapshot();
  const source = readParquet(await fileAddresses(store, scannable(state)));
  const filter = also === undefined ? where : `${where} AND ${also}`;
  const plain = async () => (await duckdb.rows(aggregateSql(`${source} WHERE ${filter}`)))[0]?.answer;
  const [ingot, parquet, plans]: [number[], number[], number[]] = [[], [], []];
  for (let repeat = 0; repeat <= repeats; repeat++) {
    const own = await timed(() => askIngot(table, where));
    const other = await timed(plain);
    if (own.result.answer !== other.result)
      throw new Error(`Ingot: ${own.result.answer}, DuckDB: ${other.result}`);
    // The first pair warms up.
    if (repeat === 0) continue;
    ingot.push(own.milliseconds);
    parquet.push(other.milliseconds);
    plans.push(own.result.plan);
  }
  const ratio = median(ingot.map((milliseconds, i) => milliseconds / (parquet[i] ?? Number.NaN)));
  return { ingot: median(ingot), parquet: median(parquet), plan: median(plans), ratio };
}
