/**
 * Columns of numbers out of DuckDB, many times as fast as rows of values: sets of row indexes are counted in tens of
 * millions. A batch is one array a column, all of one length, and integers are exact up to 2^53.
 */
import type { DuckDBConnection, DuckDBDataChunk } from "@duckdb/node-api";

/** One array for each column. */
export type NumberBatch = readonly Float64Array[];

/**
 * Runs a query whose columns are all numbers and gives them batch by batch as they are computed; NULL becomes NaN.
 * Memory does not grow with the result.
 */
export async function streamNumbers(
  connection: DuckDBConnection,
  sql: string,
): Promise<AsyncIterable<NumberBatch>> {
  const result = await connection.stream(`SELECT COLUMNS(*)::DOUBLE FROM (${sql}\n)`);
  async function* batches() {
    for (;;) {
      const chunk = await result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) return;
      yield numbersOf(chunk);
    }
  }
  return batches();
}

function numbersOf(chunk: DuckDBDataChunk): NumberBatch {
  return Array.from({ length: chunk.columnCount }, (_, column) => {
    const vector = chunk.getColumnVector(column);
    const numbers = new Float64Array(chunk.rowCount);
    for (let i = 0; i < numbers.length; i++) {
      const value = vector.getItem(i);
      numbers[i] = typeof value === "number" ? value : Number.NaN;
    }
    return numbers;
  });
}
