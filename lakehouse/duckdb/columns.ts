/** Results as columns: several times as fast as rows of objects where there are many. */
import type { DuckDBConnection, DuckDBType } from "@duckdb/node-api";
import { DuckDBStructType } from "@duckdb/node-api";

/** The type of a column: DuckDB's name of it, or the members of a struct. */
export type ColumnType = string | StructColumnType;

export interface StructColumnType {
  readonly members: ReadonlyMap<string, ColumnType>;
}

/** Some rows of a result, one array for each column. */
export interface ColumnBatch {
  readonly rowCount: number;
  readonly columns: readonly (readonly (string | number | boolean | null)[])[];
}

/** The columns that a query would give and their types, structs to their leaves, without running it. */
export async function describeColumns(connection: DuckDBConnection, sql: string): Promise<StructColumnType> {
  const prepared = await connection.prepare(sql);
  try {
    const names = Array.from({ length: prepared.columnCount }, (_, i) => i);
    return {
      members: new Map(names.map((i) => [prepared.columnName(i), columnType(prepared.columnType(i))])),
    };
  } finally {
    prepared.destroySync();
  }
}

function columnType(type: DuckDBType): ColumnType {
  if (!(type instanceof DuckDBStructType)) return String(type);
  return {
    members: new Map(
      type.entryNames.map((name, i) => {
        const member = type.entryTypes[i];
        return [name, member === undefined ? "NULL" : columnType(member)];
      }),
    ),
  };
}

/**
 * Runs a query whose columns are VARCHAR, DOUBLE or BOOLEAN and gives them batch by batch as they are computed;
 * memory does not grow with the result. Columns of other types reject.
 */
export async function* streamColumns(
  connection: DuckDBConnection,
  sql: string,
): AsyncGenerator<ColumnBatch, void, undefined> {
  const result = await connection.stream(sql);
  for (const type of result.columnTypes().map(String)) {
    if (!PLAIN.has(type)) throw new RangeError(`a column of type ${type} is not read as a column`);
  }
  for (;;) {
    const chunk = await result.fetchChunk();
    if (chunk === null || chunk.rowCount === 0) return;
    const columns = Array.from({ length: chunk.columnCount }, (_, i) => chunk.getColumnValues(i));
    yield { rowCount: chunk.rowCount, columns: columns as (string | number | boolean | null)[][] };
  }
}

const PLAIN = new Set(["VARCHAR", "DOUBLE", "BOOLEAN"]);
