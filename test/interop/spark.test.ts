/** All that is tested with Spark, in one process of it: it takes half a minute to be warm. */
import { describe, expect, it } from "vitest";
import { enginesAvailable, useEngine } from "../support/engines.ts";
import { useInterop } from "./bench.ts";
import { expectSameReading } from "./compare.ts";
import { IngotWriter } from "./ingot-writer.ts";
import { testReading } from "./reading.ts";
import { SPARK_FEATURE_TABLES } from "./spark-feature-tables.ts";
import { SPARK_TABLES } from "./spark-tables.ts";
import { testTurns } from "./taking-turns.ts";
import { sparkTurns } from "./turns.ts";

const bench = await useInterop();
const { duckdb, ingot, newPath } = bench;

describe.skipIf(!enginesAvailable)("Spark", () => {
  const spark = useEngine("spark");

  describe("reads what Ingot writes", () => testReading(bench, "spark", spark));

  describe("writes to one table with Ingot in turns", () => testTurns(bench, spark, sparkTurns(spark)));

  describe("writes what Ingot reads", () => {
    it.each([...SPARK_TABLES, ...SPARK_FEATURE_TABLES])("$name", async (table) => {
      const path = newPath();
      for (const step of table.make) {
        if (typeof step === "string") await spark.sql(path, [step]);
        else await spark.run(path, step.program);
      }
      await expectSameReading(path, table, ingot, spark);
    });
  });

  it.each([
    ["rowTracking", "(id BIGINT) USING delta TBLPROPERTIES ('delta.enableRowTracking' = 'true')"],
    ["identity columns", "(id BIGINT, key BIGINT GENERATED ALWAYS AS IDENTITY) USING delta"],
    [
      "icebergCompatV2",
      "(id BIGINT) USING delta TBLPROPERTIES ('delta.enableIcebergCompatV2' = 'true', 'delta.columnMapping.mode' = 'name')",
    ],
  ])(
    "makes tables with %s, which Ingot reads, and refuses to write by that name",
    async (feature, definition) => {
      const path = newPath();
      await spark.sql(path, [`CREATE TABLE {t} ${definition}`, "INSERT INTO {t} (id) VALUES (1)"]);
      await expectSameReading(path, {}, ingot, spark);
      await expect(new IngotWriter(path, duckdb).append("SELECT 2::BIGINT AS id")).rejects.toThrow(feature);
      expect(await ingot.read(path)).toHaveLength(1);
    },
  );

  it("makes variants, which Ingot refuses by name, to read and to write", async () => {
    const path = newPath();
    await spark.sql(path, [
      "CREATE TABLE {t} (id BIGINT, v VARIANT) USING delta",
      `INSERT INTO {t} SELECT 1, parse_json('{"key": [1, "two"]}')`,
    ]);
    await expect(ingot.read(path)).rejects.toThrow(/variant/i);
    await expect(new IngotWriter(path, duckdb).append("SELECT 2::BIGINT AS id")).rejects.toThrow(
      "variantType",
    );
  });
});
