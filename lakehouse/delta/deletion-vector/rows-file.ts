/** How deleted rows come into DuckDB, and rows to delete out of it. */
import type { NumberBatch } from "../../duckdb/number-columns.ts";
import { type NumberColumn, writeNumberFile } from "../../parquet/number-file.ts";
import { CONTAINER_VALUES } from "./container.ts";
import { RowSet } from "./row-set.ts";

/** Deleted rows of the data file that a query knows by this number. */
export interface FileRows {
  readonly index: number;
  readonly rows: RowSet;
}

const COLUMNS: readonly NumberColumn[] = [
  { name: "file", type: "INTEGER" },
  { name: "row", type: "BIGINT" },
];

/**
 * Writes a local Parquet file of columns `file INTEGER, row BIGINT`, in the order given and with rows ascending,
 * that a scan can be joined with on its files' numbers and `file_row_number`.
 */
export function writeRowsFile(path: string, deleted: readonly FileRows[]): Promise<void> {
  return writeNumberFile(path, COLUMNS, batchesOf(deleted));
}

function* batchesOf(deleted: readonly FileRows[]): Iterable<NumberBatch> {
  for (const { index, rows } of deleted) {
    for (const [chunk, container] of rows.containers()) {
      const values = container.sorted();
      const numbers = new Float64Array(values.length);
      for (let i = 0; i < values.length; i++) numbers[i] = chunk * CONTAINER_VALUES + (values[i] ?? 0);
      yield [new Float64Array(values.length).fill(index), numbers];
    }
  }
}

/**
 * Sets of rows by the number of their file, from batches of two columns, `file` and `row`, in any order. Rejects with
 * a RangeError where a row is no index, such as NULL.
 */
export async function collectRows(batches: AsyncIterable<NumberBatch>): Promise<Map<number, RowSet>> {
  const found = new Map<number, RowSet>();
  // Neighbours mostly are of one file.
  let file = Number.NaN;
  let set = new RowSet();
  for await (const [files = new Float64Array(), rows = new Float64Array()] of batches) {
    for (let i = 0; i < rows.length; i++) {
      const next = files[i] ?? Number.NaN;
      if (next !== file) {
        file = next;
        set = found.get(file) ?? new RowSet();
        found.set(file, set);
      }
      set.add(rows[i] ?? Number.NaN);
    }
  }
  return found;
}
