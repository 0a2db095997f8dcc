/** How each engine takes its turn on a table with the columns `id BIGINT, v STRING, p STRING`. */
import type { ChdbEngine } from "./chdb-engine.ts";
import type { PythonEngine, SparkEngine } from "./python-engine.ts";

export interface Turns {
  /** Makes the table, partitioned by `p`, with row 1. Not there where the engine makes no tables. */
  readonly create?: (path: string) => Promise<unknown>;
  /** Appends row `id`. */
  readonly append: (path: string, id: number) => Promise<unknown>;
  /** Takes row 1 away. Not there where the engine only appends. */
  readonly delete?: (path: string) => Promise<unknown>;
}

const frame = (id: number) =>
  `pa.table({"id": pa.array([${id}], pa.int64()), "v": ["rs"], "p": ["odd / %"]})`;

export const deltalakeTurns = (deltalake: PythonEngine): Turns => ({
  create: (path) => deltalake.run(path, `write_deltalake(path, ${frame(1)}, partition_by=["p"])`),
  append: (path, id) => deltalake.run(path, `write_deltalake(path, ${frame(id)}, mode="append")`),
  delete: (path) => deltalake.run(path, `DeltaTable(path).delete("id = 1")`),
});

export const sparkTurns = (spark: SparkEngine): Turns => ({
  create: (path) =>
    spark.sql(path, [
      "CREATE TABLE {t} (id BIGINT, v STRING, p STRING) USING delta PARTITIONED BY (p)",
      "INSERT INTO {t} VALUES (1, 'spark', 'odd / %')",
    ]),
  append: (path, id) => spark.sql(path, [`INSERT INTO {t} VALUES (${id}, 'spark', 'odd / %')`]),
  delete: (path) => spark.sql(path, ["DELETE FROM {t} WHERE id = 1"]),
});

export const chdbTurns = (chdb: ChdbEngine): Turns => ({
  append: async (path, id) => chdb.run(path, `INSERT INTO FUNCTION {t} VALUES (${id}, 'ch', 'plain')`),
});
