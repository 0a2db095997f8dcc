import { describe, expect, it } from "vitest";
import { useDuckDb } from "../support/duckdb.ts";
import { ENGINE_NAMES, enginesAvailable, useEngine } from "../support/engines.ts";
import { useFolder } from "../support/folder.ts";
import { expectSameReading } from "./compare.ts";
import { IngotReader } from "./ingot-reader.ts";
import { IngotWriter } from "./ingot-writer.ts";
import { turnsOf } from "./turns.ts";

const duckdb = await useDuckDb();
const ingot = new IngotReader(duckdb);
const folder = useFolder();
const newPath = () => `${folder.path}/${crypto.randomUUID()}`;
const row = (id: number) => `SELECT ${id}::BIGINT AS id, 'ingot' AS v, 'odd / %' AS p`;

describe.skipIf(!enginesAvailable)("Ingot and another engine write to one table in turns", () => {
  const spark = useEngine("spark");
  const engines = { spark, deltalake: useEngine("deltalake"), chdb: useEngine("chdb", folder.path) };
  const turns = turnsOf(engines);

  it.each(ENGINE_NAMES)("a table of Ingot's: %s appends, Ingot merges, it appends again", async (name) => {
    const path = newPath();
    const table = new IngotWriter(path, duckdb);
    await table.create(row(1), { partitionBy: ["p"], properties: { "delta.checkpointInterval": "2" } });
    await turns[name].append(path, 2);
    await table.merge({
      source: `${row(2)} UNION ALL ${row(3)}`,
      on: "target.id = source.id",
      matched: [{ update: "all" }],
      notMatched: [{ insert: "all" }],
    });
    await turns[name].append(path, 4);
    await turns[name].delete?.(path);
    await table.append(row(5));
    await expectSameReading(path, {}, engines[name], ingot);
    const ids = (await ingot.read(path)).map(({ id }) => id);
    expect(ids).toEqual(turns[name].delete ? ["2", "3", "4", "5"] : ["1", "2", "3", "4", "5"]);
  });

  it.each(ENGINE_NAMES.filter((name) => turns[name].create))(
    "a table of %s: Ingot appends, deletes",
    async (name) => {
      const path = newPath();
      await turns[name].create?.(path);
      const table = new IngotWriter(path, duckdb);
      await table.append(row(2));
      await turns[name].append(path, 3);
      await table.delete("id = 1");
      await turns[name].append(path, 4);
      await expectSameReading(path, {}, engines[name], ingot);
      expect((await ingot.read(path)).map(({ id }) => id)).toEqual(["2", "3", "4"]);
    },
  );

  it.each([
    ["rowTracking", "(id BIGINT) USING delta TBLPROPERTIES ('delta.enableRowTracking' = 'true')"],
    ["identity columns", "(id BIGINT, key BIGINT GENERATED ALWAYS AS IDENTITY) USING delta"],
    [
      "icebergCompatV2",
      "(id BIGINT) USING delta TBLPROPERTIES ('delta.enableIcebergCompatV2' = 'true', 'delta.columnMapping.mode' = 'name')",
    ],
  ])("Ingot reads a table with %s, and refuses to write by that name", async (feature, definition) => {
    const path = newPath();
    await spark.sql(path, [`CREATE TABLE {t} ${definition}`, "INSERT INTO {t} (id) VALUES (1)"]);
    await expectSameReading(path, {}, ingot, spark);
    await expect(new IngotWriter(path, duckdb).append("SELECT 2::BIGINT AS id")).rejects.toThrow(feature);
    expect(await ingot.read(path)).toHaveLength(1);
  });

  it("Ingot refuses by name the variants that it cannot read, and to write any", async () => {
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
