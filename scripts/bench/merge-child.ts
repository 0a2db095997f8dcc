/**
 * The measured merges of Ingot, each run in a process of its own: `merge MEMORY_MB TABLE SOURCE …`; several tables
 * with their sources are merged one after the other, and timed apart.
 */
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { literal } from "../../lakehouse/duckdb/quote.ts";
import { openTable } from "../../lakehouse/table/open.ts";
import { report, timed } from "./bench.ts";

const [memoryMb = "1024", ...places] = process.argv.slice(2);

/** Brings the source's rows into the table by their key: changed ones are updated, others inserted. */
async function mergeAll(): Promise<{ rows: number; figures: Record<string, number> }> {
  const duckdb = await DuckDb.open({ memoryMb: Number(memoryMb), threads: 2 });
  const figures: Record<string, number> = {};
  let rows = 0;
  for (let i = 0; i < places.length; i += 2) {
    const [folder = "", source = ""] = places.slice(i, i + 2);
    const { result, milliseconds } = await timed(async () => {
      const table = await openTable(folder, { duckdb });
      return table
        .merge({ sql: `SELECT * FROM read_parquet(${literal(source)})` }, "target.id = source.id")
        .whenMatchedUpdate("all")
        .whenNotMatchedInsert("all")
        .execute();
    });
    rows += result.updatedRows + result.insertedRows;
    figures[`merge${i / 2}Ms`] = milliseconds;
  }
  duckdb.close();
  return { rows, figures };
}

await report(mergeAll);
process.disconnect?.();
