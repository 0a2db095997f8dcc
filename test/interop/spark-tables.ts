/** Tables of values and histories that every reader of Delta must get right, as Spark writes them. */
import { type ForeignTable, forget } from "./foreign-table.ts";
import { ODD_TEXTS } from "./odd-texts.ts";

/** A literal of Spark's, which takes backslashes as escapes. */
const literal = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
const oddRows = [...ODD_TEXTS, "__HIVE_DEFAULT_PARTITION__x"]
  .map((text, i) => `(${i}, ${literal(text)})`)
  .join(", ");

export const SPARK_TABLES: readonly ForeignTable[] = [
  {
    name: "every primitive type, with its extremes",
    make: [
      `CREATE TABLE {t} (id BIGINT, ti TINYINT, si SMALLINT, i INT, f FLOAT, d DOUBLE, s STRING, b BINARY, ok BOOLEAN, day DATE, at TIMESTAMP) USING delta`,
      `INSERT INTO {t} VALUES
        (9223372036854775807, 127, 32767, 2147483647, FLOAT('3.4028235E38'), 1.7976931348623157E308D, 'naïve 😀', X'00ff10', true, DATE'9999-12-31', TIMESTAMP'9999-12-31 23:59:59.999999'),
        (-9223372036854775808, -128, -32768, -2147483648, FLOAT('NaN'), DOUBLE('-Infinity'), '', X'', false, DATE'0001-01-01', TIMESTAMP'1969-12-31 23:59:59.999999'),
        (9007199254740993, 0, 0, 0, FLOAT('0.1'), DOUBLE('-0.0'), 'null', X'c3', NULL, DATE'1582-10-04', TIMESTAMP'1900-01-01 00:00:00.000001'),
        (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`,
      `INSERT INTO {t} (id, d) VALUES (1, DOUBLE('NaN')), (2, 0.1D), (3, 5E-324D)`,
    ],
  },
  {
    name: "timestamps before the Gregorian calendar",
    make: [
      "CREATE TABLE {t} (id INT, at TIMESTAMP) USING delta",
      "INSERT INTO {t} VALUES (1, TIMESTAMP'0001-01-01 00:00:00'), (2, TIMESTAMP'1500-06-15 12:00:00.123456')",
    ],
  },
  {
    name: "timestamps without a zone",
    make: [
      "CREATE TABLE {t} (id INT, at TIMESTAMP_NTZ, p TIMESTAMP_NTZ) USING delta PARTITIONED BY (p)",
      "INSERT INTO {t} VALUES (1, TIMESTAMP_NTZ'0001-01-01 00:00:00', TIMESTAMP_NTZ'2026-03-29 02:30:00.5'), (2, TIMESTAMP_NTZ'9999-12-31 23:59:59.999999', NULL)",
    ],
  },
  {
    name: "decimals of every width",
    make: [
      "CREATE TABLE {t} (id INT, a DECIMAL(1,0), b DECIMAL(9,2), c DECIMAL(18,18), d DECIMAL(19,4), e DECIMAL(38,0), f DECIMAL(38,38), p DECIMAL(20,3)) USING delta PARTITIONED BY (p)",
      `INSERT INTO {t} VALUES (1, 9, 9999999.99, 0.123456789012345678, 123456789012345.6789, 99999999999999999999999999999999999999, 0.12345678901234567890123456789012345678, 12345678901234567.5),
        (2, -9, -0.01, -0.000000000000000001, -0.0001, -99999999999999999999999999999999999999, -0.00000000000000000000000000000000000001, -0.001), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`,
    ],
  },
  {
    name: "structs, arrays and maps",
    make: [
      "CREATE TABLE {t} (id INT, st STRUCT<a: INT, bc: STRUCT<d: DECIMAL(10,2), e: DATE>>, l ARRAY<BIGINT>, ll ARRAY<ARRAY<STRING>>, ls ARRAY<STRUCT<x: INT, y: STRING>>, m MAP<STRING, STRUCT<v: DOUBLE>>, mi MAP<INT, ARRAY<TIMESTAMP>>) USING delta",
      `INSERT INTO {t} VALUES
        (1, STRUCT(1, STRUCT(1.50, DATE'2026-01-01')), ARRAY(1, NULL, 3), ARRAY(ARRAY('a'), ARRAY(), NULL), ARRAY(STRUCT(1, 'x'), NULL), MAP('k', STRUCT(0.5D), 'n', NULL), MAP(7, ARRAY(TIMESTAMP'2026-01-01 00:00:00'))),
        (2, STRUCT(NULL, NULL), ARRAY(), ARRAY(), ARRAY(), MAP(), MAP()),
        (3, NULL, NULL, NULL, NULL, NULL, NULL)`,
      "ALTER TABLE {t} ADD COLUMNS (st.z STRING AFTER a, ls.element.w INT, more MAP<STRING, INT>)",
      "INSERT INTO {t} (id, st, more) VALUES (4, STRUCT(4, 'z', STRUCT(4.00, NULL)), MAP('a', 1))",
    ],
  },
  {
    name: "partition values that are a trap in paths",
    make: [
      "CREATE TABLE {t} (id INT, p STRING) USING delta PARTITIONED BY (p)",
      `INSERT INTO {t} VALUES ${oddRows}`,
      "INSERT INTO {t} VALUES (100, NULL), (101, '')",
      "DELETE FROM {t} WHERE p = 'a%b'",
      "UPDATE {t} SET id = id + 1000 WHERE p = 'a/b'",
    ],
  },
  {
    name: "partitions of every type",
    make: [
      "CREATE TABLE {t} (id INT, i INT, n BIGINT, f FLOAT, d DOUBLE, ok BOOLEAN, day DATE, at TIMESTAMP, b BINARY, m DECIMAL(12,3)) USING delta PARTITIONED BY (i, n, f, d, ok, day, at, b, m)",
      `INSERT INTO {t} VALUES (1, -1, 9223372036854775807, FLOAT('0.1'), 1E300D, true, DATE'2026-02-28', TIMESTAMP'2026-02-28 12:00:00.123456', X'4142', 1.500),
        (2, 0, -1, FLOAT('NaN'), DOUBLE('Infinity'), false, DATE'0001-01-01', TIMESTAMP'1969-12-31 23:59:59', X'41', -1.5),
        (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`,
    ],
  },
  {
    name: "insert, update, delete, merge, overwrite, truncate, restore",
    make: [
      "CREATE TABLE {t} (id BIGINT, v STRING, p INT) USING delta PARTITIONED BY (p)",
      "INSERT INTO {t} SELECT id, CONCAT('v', id), id % 3 FROM range(30)",
      "UPDATE {t} SET v = 'updated' WHERE id BETWEEN 5 AND 9",
      "DELETE FROM {t} WHERE id % 7 = 0",
      `MERGE INTO {t} AS t USING (SELECT id, 'merged' AS v, 1 AS p FROM range(25, 35)) AS s ON t.id = s.id
        WHEN MATCHED AND s.id = 26 THEN DELETE WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT *
        WHEN NOT MATCHED BY SOURCE AND t.id < 3 THEN DELETE`,
      "INSERT INTO {t} REPLACE WHERE p = 2 SELECT 100 AS id, 'replaced' AS v, 2 AS p",
      "OPTIMIZE {t}",
      "INSERT OVERWRITE {t} SELECT id, 'new', 0 FROM range(2)",
      "DELETE FROM {t}",
      "RESTORE TABLE {t} TO VERSION AS OF 4",
    ],
  },
  {
    name: "columns added, moved, replaced; a table replaced by another",
    make: [
      "CREATE TABLE {t} (id INT, a STRING) USING delta",
      "INSERT INTO {t} VALUES (1, 'one')",
      "ALTER TABLE {t} ADD COLUMNS (b DOUBLE COMMENT 'new' FIRST, c DATE AFTER id)",
      "INSERT INTO {t} VALUES (0.5D, 2, DATE'2026-01-01', 'two')",
      "ALTER TABLE {t} ALTER COLUMN a FIRST",
      "REPLACE TABLE {t} (id STRING, n BIGINT) USING delta PARTITIONED BY (id)",
      "INSERT INTO {t} VALUES ('x', 1)",
    ],
  },
  {
    name: "classic checkpoints, the log before them gone",
    make: [
      "CREATE TABLE {t} (id BIGINT, p STRING) USING delta PARTITIONED BY (p) TBLPROPERTIES ('delta.checkpointInterval' = '3')",
      ...[1, 2, 3, 4, 5, 6, 7].map((i) => `INSERT INTO {t} VALUES (${i}, 'p ${i % 2}')`),
      "DELETE FROM {t} WHERE id = 2",
      forget(6),
    ],
    from: 6,
  },
  {
    name: "checkpoints in parts, statistics as columns",
    make: [
      "SET spark.databricks.delta.checkpoint.partSize = 2",
      "CREATE TABLE {t} (id BIGINT, p DATE) USING delta PARTITIONED BY (p) TBLPROPERTIES ('delta.checkpointInterval' = '3', 'delta.checkpoint.writeStatsAsStruct' = 'true', 'delta.checkpoint.writeStatsAsJson' = 'false')",
      ...[1, 2, 3, 4].map((i) => `INSERT INTO {t} VALUES (${i}, DATE'2026-01-0${i}'), (-${i}, NULL)`),
      "RESET spark.databricks.delta.checkpoint.partSize",
      forget(3),
    ],
    from: 3,
  },
];
