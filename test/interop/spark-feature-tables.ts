/** Tables with features of the protocol beyond (1, 2), as Spark writes them. */
import { type ForeignTable, forget } from "./foreign-table.ts";

const VECTORS = "'delta.enableDeletionVectors' = 'true'";

function v2Checkpoints(format: "json" | "parquet"): ForeignTable {
  return {
    name: `checkpoints of version 2, ${format} on top`,
    make: [
      `SET spark.databricks.delta.checkpointV2.topLevelFileFormat = ${format}`,
      `CREATE TABLE {t} (id BIGINT, p STRING) USING delta PARTITIONED BY (p) TBLPROPERTIES ('delta.checkpointPolicy' = 'v2', 'delta.checkpointInterval' = '3', ${VECTORS})`,
      ...[1, 2, 3, 4].map((i) => `INSERT INTO {t} SELECT id + ${i * 10}, 'p${i % 2}' FROM range(5)`),
      "DELETE FROM {t} WHERE id % 5 = 1",
      "INSERT INTO {t} VALUES (0, NULL)",
      "DELETE FROM {t} WHERE id = 12",
      "RESET spark.databricks.delta.checkpointV2.topLevelFileFormat",
      forget(6),
    ],
    from: 6,
  };
}

export const SPARK_FEATURE_TABLES: readonly ForeignTable[] = [
  {
    name: "deletion vectors: deleted, updated, merged, purged",
    make: [
      `CREATE TABLE {t} (id BIGINT, v STRING) USING delta TBLPROPERTIES (${VECTORS})`,
      "INSERT INTO {t} SELECT /*+ COALESCE(1) */ id, CONCAT('v', id) FROM range(200)",
      "DELETE FROM {t} WHERE id % 10 = 3",
      "DELETE FROM {t} WHERE id IN (0, 199)",
      "UPDATE {t} SET v = 'updated' WHERE id BETWEEN 100 AND 105",
      "MERGE INTO {t} AS t USING (SELECT id, 'merged' AS v FROM range(195, 205)) AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *",
      "REORG TABLE {t} APPLY (PURGE)",
      "DELETE FROM {t} WHERE id < 150",
      "DELETE FROM {t} WHERE id < 300",
      "RESTORE TABLE {t} TO VERSION AS OF 3",
    ],
  },
  {
    name: "deletion vectors of large files, in a checkpoint, with odd partitions",
    make: [
      `CREATE TABLE {t} (id BIGINT, p STRING) USING delta PARTITIONED BY (p) TBLPROPERTIES (${VECTORS}, 'delta.checkpointInterval' = '3')`,
      "INSERT INTO {t} SELECT /*+ COALESCE(1) */ id, CASE WHEN id % 2 = 0 THEN 'a/b %' END FROM range(1000)",
      "DELETE FROM {t} WHERE id % 4 < 2",
      "DELETE FROM {t} WHERE id > 900 AND p IS NULL",
      "DELETE FROM {t} WHERE id = 6",
      forget(3),
    ],
    from: 3,
  },
  {
    name: "change data feed",
    make: [
      "CREATE TABLE {t} (id BIGINT, v STRING, p INT) USING delta PARTITIONED BY (p) TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')",
      "INSERT INTO {t} SELECT id, CONCAT('v', id), id % 2 FROM range(10)",
      "UPDATE {t} SET v = 'updated', p = 2 WHERE id = 3",
      "DELETE FROM {t} WHERE id IN (4, 5)",
      "MERGE INTO {t} AS t USING (SELECT id, 'merged' AS v, 1 AS p FROM range(8, 12)) AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *",
      "DELETE FROM {t} WHERE p = 0",
      "INSERT OVERWRITE {t} VALUES (100, 'over', 9)",
      "OPTIMIZE {t}",
    ],
    changesFrom: 0,
  },
  {
    name: "change data feed with deletion vectors",
    make: [
      `CREATE TABLE {t} (id BIGINT, v STRING) USING delta TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true', ${VECTORS})`,
      "INSERT INTO {t} SELECT /*+ COALESCE(1) */ id, CONCAT('v', id) FROM range(20)",
      "DELETE FROM {t} WHERE id % 5 = 0",
      "UPDATE {t} SET v = 'updated' WHERE id = 7",
      "DELETE FROM {t}",
    ],
    changesFrom: 0,
  },
  v2Checkpoints("json"),
  v2Checkpoints("parquet"),
  {
    name: "column mapping by name: renamed, dropped, added again, odd names",
    make: [
      "CREATE TABLE {t} (id BIGINT, `a b,c;{}()=` STRING, st STRUCT<x: INT, y: ARRAY<STRUCT<z: STRING>>>, p STRING) USING delta PARTITIONED BY (p) TBLPROPERTIES ('delta.columnMapping.mode' = 'name')",
      "INSERT INTO {t} VALUES (1, 'one', STRUCT(1, ARRAY(STRUCT('z'))), 'p/1')",
      "ALTER TABLE {t} RENAME COLUMN `a b,c;{}()=` TO name",
      "ALTER TABLE {t} RENAME COLUMN st.x TO renamed",
      "ALTER TABLE {t} RENAME COLUMN p TO part",
      "INSERT INTO {t} VALUES (2, 'two', STRUCT(2, ARRAY()), NULL)",
      "ALTER TABLE {t} DROP COLUMN name",
      "ALTER TABLE {t} ADD COLUMNS (name INT)",
      "INSERT INTO {t} VALUES (3, STRUCT(3, NULL), 'p3', 3)",
      "UPDATE {t} SET name = 30 WHERE id = 3",
    ],
  },
  {
    name: "column mapping by name, turned on later; change feed",
    make: [
      "CREATE TABLE {t} (id BIGINT, v STRING) USING delta TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')",
      "INSERT INTO {t} VALUES (1, 'one'), (2, 'two')",
      "ALTER TABLE {t} SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name', 'delta.minReaderVersion' = '2', 'delta.minWriterVersion' = '5')",
      "ALTER TABLE {t} RENAME COLUMN v TO `new name`",
      "UPDATE {t} SET `new name` = 'three' WHERE id = 2",
    ],
    changesFrom: 3,
  },
  {
    name: "column mapping by id",
    make: [
      "CREATE TABLE {t} (id BIGINT, st STRUCT<x: INT, l: ARRAY<STRUCT<z: STRING>>>, m MAP<STRING, STRUCT<v: INT>>) USING delta TBLPROPERTIES ('delta.columnMapping.mode' = 'id')",
      "INSERT INTO {t} VALUES (1, STRUCT(1, ARRAY(STRUCT('z'))), MAP('k', STRUCT(1)))",
      "ALTER TABLE {t} RENAME COLUMN id TO key",
      "ALTER TABLE {t} RENAME COLUMN st.l.element.z TO zz",
      "INSERT INTO {t} VALUES (2, NULL, NULL)",
    ],
  },
  {
    name: "type widening",
    make: [
      "CREATE TABLE {t} (a TINYINT, b INT, c FLOAT, d INT, e DECIMAL(6,2), f DATE, g SMALLINT, st STRUCT<x: INT>, l ARRAY<SMALLINT>, m MAP<STRING, INT>, p INT) USING delta PARTITIONED BY (p) TBLPROPERTIES ('delta.enableTypeWidening' = 'true', 'delta.feature.timestampNtz' = 'supported')",
      "INSERT INTO {t} VALUES (1, 2, 0.5, 3, 1234.56, DATE'2026-01-01', 4, STRUCT(5), ARRAY(6S), MAP('k', 7), 8)",
      ...[
        "a TYPE INT",
        "b TYPE BIGINT",
        "c TYPE DOUBLE",
        "d TYPE DOUBLE",
        "e TYPE DECIMAL(12,4)",
        "f TYPE TIMESTAMP_NTZ",
        "g TYPE DECIMAL(10,0)",
        "st.x TYPE BIGINT",
        "l.element TYPE INT",
        "m.value TYPE BIGINT",
        "p TYPE BIGINT",
      ].map((change) => `ALTER TABLE {t} ALTER COLUMN ${change}`),
      "INSERT INTO {t} VALUES (70000, 5000000000, 0.1D, 0.25D, 12345678.1234, TIMESTAMP_NTZ'2026-01-01 12:00:00', 1234567890, STRUCT(5000000000), ARRAY(70000), MAP('k', 5000000000), 5000000000)",
    ],
    from: 11,
  },
  {
    name: "in-commit timestamps and row tracking",
    make: [
      `CREATE TABLE {t} (id BIGINT, v STRING) USING delta TBLPROPERTIES ('delta.enableInCommitTimestamps' = 'true', 'delta.enableRowTracking' = 'true', ${VECTORS})`,
      "INSERT INTO {t} SELECT id, CONCAT('v', id) FROM range(10)",
      "UPDATE {t} SET v = 'updated' WHERE id = 3",
      "OPTIMIZE {t}",
    ],
  },
  {
    name: "generated and identity columns, defaults, constraints",
    make: [
      {
        program: `
from delta.tables import DeltaTable, IdentityGenerator
from pyspark.sql.types import DateType, LongType
(DeltaTable.create(spark).location(path)
    .addColumn("key", LongType(), generatedAlwaysAs=IdentityGenerator(start=5, step=-2))
    .addColumn("at", "TIMESTAMP", nullable=False)
    .addColumn("day", DateType(), generatedAlwaysAs="CAST(at AS DATE)")
    .partitionedBy("day").execute())
`,
      },
      "INSERT INTO {t} (at) VALUES (TIMESTAMP'2026-02-28 12:00:00'), (TIMESTAMP'2026-03-01 00:00:00')",
      "ALTER TABLE {t} ADD CONSTRAINT recent CHECK (at > TIMESTAMP'2020-01-01 00:00:00')",
      "ALTER TABLE {t} SET TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported')",
      "ALTER TABLE {t} ADD COLUMNS (note STRING)",
      "ALTER TABLE {t} ALTER COLUMN note SET DEFAULT 'none'",
      "INSERT INTO {t} (at) VALUES (TIMESTAMP'2026-03-02 00:00:00')",
    ],
  },
  {
    name: "liquid clustering",
    make: [
      "CREATE TABLE {t} (id BIGINT, v STRING) USING delta CLUSTER BY (id)",
      "INSERT INTO {t} SELECT id, CONCAT('v', id) FROM range(10)",
      "OPTIMIZE {t}",
      "ALTER TABLE {t} CLUSTER BY NONE",
      "INSERT INTO {t} VALUES (11, 'x')",
    ],
  },
  {
    name: "a converted folder of Parquet files",
    make: [
      {
        program: `spark.range(6).selectExpr("id", "id % 2 AS p", "CONCAT('v', id) AS v").write.partitionBy("p").parquet(path)`,
      },
      { program: `spark.sql(f"CONVERT TO DELTA parquet.\`{path}\` PARTITIONED BY (p BIGINT)")` },
      "INSERT INTO {t} (id, v, p) VALUES (100, 'new', NULL)",
    ],
  },
  {
    name: "a shallow clone, whose files lie elsewhere",
    make: [
      { program: `spark.range(5).write.format("delta").save(path + " source")` },
      { program: 'spark.sql(f"CREATE TABLE delta.`{path}` SHALLOW CLONE delta.`{path} source`")' },
      "INSERT INTO {t} VALUES (10)",
      "DELETE FROM {t} WHERE id = 2",
    ],
  },
];
