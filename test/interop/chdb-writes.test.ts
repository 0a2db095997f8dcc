import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { useEngine } from "../support/engines.ts";
import { useInterop } from "./bench.ts";
import { expectSameReading } from "./compare.ts";
import { IngotWriter } from "./ingot-writer.ts";

const { duckdb, ingot, folder } = await useInterop();
const chdb = useEngine("chdb", folder.path);

// ClickHouse makes no Delta tables of its own: it appends to those of others.
it("reads what ClickHouse appends, in every type", async () => {
  const path = `${folder.path}/types`;
  await new IngotWriter(path, duckdb).create(
    "SELECT 1::BIGINT AS id, 1::INTEGER AS i, 0.5::DOUBLE AS d, 'one' AS s, true AS ok, DATE '2026-01-01' AS day, TIMESTAMPTZ '2026-01-01 12:00:00.5+00' AS ts, 1.50::DECIMAL(12,2) AS m, [1]::BIGINT[] AS l",
  );
  chdb.run(
    path,
    "INSERT INTO FUNCTION {t} VALUES (-9223372036854775808, 2147483647, nan, 'naïve 😀', false, '1970-01-01', '1969-12-31 23:59:59.999999', -9999999999.99, [1, NULL]), (3, NULL, -inf, '', NULL, NULL, NULL, NULL, [])",
  );
  await expectSameReading(path, {}, ingot, chdb);
  expect(await ingot.read(path)).toHaveLength(3);
});

it("reads the partitions that ClickHouse appends to", async () => {
  const path = `${folder.path}/partitions`;
  await new IngotWriter(path, duckdb).create("SELECT 1::BIGINT AS id, 'a b' AS p", { partitionBy: ["p"] });
  for (const value of ["a b", "x=é", "日本", "it''s", "#?&"]) {
    chdb.run(path, `INSERT INTO FUNCTION {t} VALUES (2, '${value}')`);
  }
  await expectSameReading(path, {}, ingot, chdb);
});

it("ClickHouse cannot be asked for partition values with a slash: it keeps what stands before", async () => {
  const path = `${folder.path}/slash`;
  await new IngotWriter(path, duckdb).create("SELECT 1::BIGINT AS id, 'a' AS p", { partitionBy: ["p"] });
  chdb.run(path, "INSERT INTO FUNCTION {t} VALUES (2, 'a/b')");
  const entry = readFileSync(`${path}/_delta_log/00000000000000000002.json`, "utf8");
  expect(entry).toContain('"partitionValues":{"p":"a"}');
});
