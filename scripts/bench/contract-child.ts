/**
 * The measured parts of the contract benchmark, each in a process of its own: `plain FOLDER` and `checked FOLDER`
 * (copies of FOLDER/rows.parquet), `sql FOLDER` and `zod FOLDER ROWS` (its rows are checked and counted).
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { guarded } from "../../lakehouse/delta/constraints.ts";
import { DuckDb, readParquet } from "../../lakehouse/duckdb/duckdb.ts";
import { literal } from "../../lakehouse/duckdb/quote.ts";
import { okSql } from "../../layers/contract/check-sql.ts";
import { compileContract } from "../../layers/contract/compile.ts";
import { contractValue } from "../../layers/contract/contract-value.ts";
import { report, timed } from "./bench.ts";
import { checkedOrders } from "./checked-orders.ts";

const [mode, folder = "", count = "0"] = process.argv.slice(2);
const ENGINE = { memoryMb: 1024, threads: 2 };

interface Measured {
  readonly rows: number;
  readonly figures: Readonly<Record<string, number>>;
}

/** Copies the rows to Parquet, checked or not. */
async function copy(duckdb: DuckDb, rows: string, isChecked: boolean): Promise<Measured> {
  const { rules } = compileContract(checkedOrders);
  const source = `SELECT * FROM ${rows}`;
  const sql = isChecked ? guarded(source, [{ name: checkedOrders.name, sql: okSql({ rules }) }]) : source;
  const target = join(folder, "copy.parquet");
  const { result, milliseconds } = await timed(() =>
    duckdb.rows(`COPY (${sql}) TO ${literal(target)} (FORMAT parquet, COMPRESSION zstd)`),
  );
  await rm(target);
  return { rows: Number(result[0]?.Count), figures: { workMs: milliseconds } };
}

/** From the file to a verdict of every row, in SQL. */
async function countKept(duckdb: DuckDb, rows: string): Promise<Measured> {
  const ok = okSql(compileContract(checkedOrders));
  const { result, milliseconds } = await timed(() =>
    duckdb.rows(`SELECT count(*) AS kept FROM ${rows} WHERE ${ok}`),
  );
  return { rows: Number(result[0]?.kept), figures: { workMs: milliseconds } };
}

/** From the file to a verdict of every row, by zod; the time that zod alone takes is told too. */
async function parseRows(duckdb: DuckDb, rows: string): Promise<Measured> {
  const columns = Object.entries(checkedOrders.columns);
  const session = await duckdb.session();
  let [kept, parseMs] = [0, 0];
  const { milliseconds } = await timed(async () => {
    const { chunks } = await session.stream(`SELECT * FROM ${rows} LIMIT ${Number(count)}`);
    for await (const chunk of chunks) {
      const objects = chunk.map((row) =>
        Object.fromEntries(columns.map(([name, { type }], i) => [name, contractValue(row[i], type)])),
      );
      const started = performance.now();
      kept += objects.filter((row) => checkedOrders.row.safeParse(row).success).length;
      parseMs += performance.now() - started;
    }
  });
  await session.close();
  return { rows: kept, figures: { workMs: milliseconds, parseMs } };
}

await report(async () => {
  const duckdb = await DuckDb.open(ENGINE);
  const rows = readParquet([join(folder, "rows.parquet")]);
  try {
    if (mode === "zod") return await parseRows(duckdb, rows);
    return mode === "sql" ? await countKept(duckdb, rows) : await copy(duckdb, rows, mode === "checked");
  } finally {
    duckdb.close();
  }
});
