/**
 * Columns of numbers between JavaScript and DuckDB, many times as fast as rows of values: sets of row indexes are
 * counted in tens of millions. Both ways a batch is one array a column, all of one length, and integers are exact
 * up to 2^53.
 */
import {
  DOUBLE,
  type DuckDBConnection,
  type DuckDBDataChunk,
  DuckDBInstance,
  DuckDBTableFunction,
} from "@duckdb/node-api";
import { messageOf, TerminalError } from "../errors.ts";
import { identifier, literal } from "./quote.ts";

/** One array for each column. */
export type NumberBatch = readonly Float64Array[];

/** A column of a file: its name and its type in DuckDB and Parquet. */
export interface NumberColumn {
  readonly name: string;
  readonly type: "INTEGER" | "BIGINT";
}

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

/** What a DuckDB of its own for one file may take; it holds a row group or two. */
const WRITER = { threads: "1", memory_limit: "256MB", autoinstall_known_extensions: "false" };
/** The most rows that DuckDB takes at once. */
const VECTOR_ROWS = 2048;

/**
 * Writes batches of integers, in their order, as a local Parquet file that `read_parquet` opens, replacing what was
 * there. Memory does not grow with the rows. An error of `batches` rejects as it is, one of DuckDB as `DUCKDB_SQL`.
 */
export async function writeNumbersFile(
  path: string,
  columns: readonly NumberColumn[],
  batches: Iterable<NumberBatch>,
): Promise<void> {
  // A table function stays in its instance for good: the instance goes with the file.
  const instance = await DuckDBInstance.create(":memory:", WRITER);
  try {
    const connection = await instance.connect();
    const source = new BatchSource(columns, batches);
    connection.registerTableFunction(source.asTableFunction());
    const typed = columns.map(({ name, type }) => `${identifier(name)}::${type} AS ${identifier(name)}`);
    // Version 2 stores differences: sorted integers take almost no room.
    const sql = `COPY (SELECT ${typed.join(", ")} FROM batches()) TO ${literal(path)} (FORMAT parquet, PARQUET_VERSION v2)`;
    try {
      await connection.run(sql);
    } catch (cause) {
      if (source.failure !== undefined) throw source.failure;
      throw new TerminalError(messageOf(cause), { code: "DUCKDB_SQL", value: sql, cause });
    } finally {
      connection.disconnectSync();
    }
  } finally {
    instance.closeSync();
  }
}

/** Hands batches to DuckDB, vector by vector. */
class BatchSource {
  /** What the batches' iterator threw. */
  failure: unknown;
  private readonly columns: readonly NumberColumn[];
  private readonly batches: Iterator<NumberBatch>;
  private batch: NumberBatch = [];
  private at = 0;

  constructor(columns: readonly NumberColumn[], batches: Iterable<NumberBatch>) {
    this.columns = columns;
    this.batches = batches[Symbol.iterator]();
  }

  asTableFunction(): DuckDBTableFunction {
    return DuckDBTableFunction.create({
      name: "batches",
      bindFunction: (info) => {
        // Doubles spare a BigInt for each value.
        for (const { name } of this.columns) info.addResultColumn(name, DOUBLE);
      },
      initFunction: (info) => info.setMaxThreads(1),
      mainFunction: (info, output) => {
        try {
          this.fill(output);
        } catch (error) {
          this.failure = error;
          info.setError("the batches failed");
        }
      },
    });
  }

  private fill(output: DuckDBDataChunk): void {
    while (this.at >= (this.batch[0]?.length ?? 0)) {
      const next = this.batches.next();
      if (next.done === true) {
        output.rowCount = 0;
        return;
      }
      this.batch = next.value;
      this.at = 0;
    }
    const end = Math.min(this.batch[0]?.length ?? 0, this.at + VECTOR_ROWS);
    output.rowCount = end - this.at;
    this.batch.forEach((numbers, column) => {
      const vector = output.getColumnVector(column);
      for (let i = this.at; i < end; i++) vector.setItem(i - this.at, numbers[i] ?? null);
      vector.flush();
    });
    this.at = end;
  }
}
