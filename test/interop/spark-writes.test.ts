import { describe, it } from "vitest";
import { useDuckDb } from "../support/duckdb.ts";
import { enginesAvailable, useEngine } from "../support/engines.ts";
import { useFolder } from "../support/folder.ts";
import { expectSameReading } from "./compare.ts";
import { IngotReader } from "./ingot-reader.ts";
import { SPARK_FEATURE_TABLES } from "./spark-feature-tables.ts";
import { SPARK_TABLES } from "./spark-tables.ts";

const ingot = new IngotReader(await useDuckDb());
const folder = useFolder();

describe.skipIf(!enginesAvailable)("Ingot reads what Spark writes", () => {
  const spark = useEngine("spark");

  it.each([...SPARK_TABLES, ...SPARK_FEATURE_TABLES])("$name", async (table) => {
    const path = `${folder.path}/${crypto.randomUUID()}`;
    for (const step of table.make) {
      if (typeof step === "string") await spark.sql(path, [step]);
      else await spark.run(path, step.program);
    }
    await expectSameReading(path, table, ingot, spark);
  });
});
