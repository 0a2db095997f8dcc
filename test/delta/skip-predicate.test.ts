import { describe, expect, test } from "vitest";
import { field, type StructType } from "../../lakehouse/delta/schema.ts";
import { parsePredicate } from "../../lakehouse/delta/skip/parse-predicate.ts";
import { useDuckDb } from "../support/duckdb.ts";

const duckdb = await useDuckDb();

const inner: StructType = { type: "struct", fields: [field("City", "string"), field("zip", "integer")] };
const schema: StructType = {
  type: "struct",
  fields: [
    field("id", "long"),
    field("Name", "string"),
    field("price", "decimal(12,2)"),
    field("ratio", "float"),
    field("day", "date"),
    field("seen", "timestamp"),
    field("ok", "boolean"),
    field("address", inner),
  ],
};

async function predicateOf(sql: string) {
  return (await parsePredicate(duckdb, sql, schema)).predicate;
}

const integer = (n: bigint) => ({ kind: "decimal", unscaled: n, scale: 0 }) as const;

describe("conditions", () => {
  test("are read with the column on either side, in any case of letters", async () => {
    expect(await predicateOf("ID >= 9223372036854775807")).toEqual({
      kind: "comparison",
      column: ["id"],
      operator: ">=",
      value: integer(9223372036854775807n),
    });
    expect(await predicateOf('-5 < "ID"')).toMatchObject({ operator: ">", value: integer(-5n) });
    expect(await predicateOf("name = 'x'")).toMatchObject({ column: ["Name"] });
  });

  test("reach into structs in each way of writing it", async () => {
    const expected = { kind: "comparison", column: ["address", "City"], operator: "=" };
    expect(await predicateOf("address.city = 'x'")).toMatchObject(expected);
    expect(await predicateOf("(Address).City = 'x'")).toMatchObject(expected);
    expect(await predicateOf("address['City'] = 'x'")).toMatchObject(expected);
  });

  test("have dates and timestamps in microseconds of UTC", async () => {
    const value = { kind: "time", micros: 1_704_060_000_000_001n };
    expect(await predicateOf("seen = TIMESTAMPTZ '2024-01-01 00:00:00.000001+02'")).toMatchObject({ value });
    expect(await predicateOf("seen = '2023-12-31 22:00:00.000001'")).toMatchObject({ value });
    expect(await predicateOf("day = '2024-01-01'::DATE")).toMatchObject({
      value: { kind: "time", micros: 1_704_067_200_000_000n },
    });
  });

  test("take a float's literal as DuckDB rounds it", async () => {
    expect(await predicateOf("ratio = 0.1")).toMatchObject({
      value: { kind: "float", value: Math.fround(0.1) },
    });
    expect(await predicateOf("ratio = 1e-1")).toMatchObject({ value: { kind: "float", value: 0.1 } });
  });

  test.each([
    ["id = '5'"],
    ["id = 1e0"],
    ["name = 5"],
    ["name > price"],
    ["price = 1e0"],
    ["price = 1.00000000000000000000000000000000000001"],
    ["abs(id) = 5"],
    ["name COLLATE NOCASE = 'x'"],
    ["name ILIKE 'x%'"],
    ["seen > now()"],
    ["nothing = 5"],
    ["day = 'no date'"],
    ["day = 'infinity'::DATE"],
    ["id IN (SELECT 1)"],
    ["id IN (1, 1e0)"],
    ["id = $1"],
    ["sum(id) OVER () > 5"],
    ["address = {'City': 'x', 'zip': 1}"],
  ])("%s is unknown", async (sql) => {
    expect(await predicateOf(sql)).toEqual({ kind: "unknown" });
    // The other branch is understood all the same.
    expect(await predicateOf(`${sql} AND ok`)).toMatchObject({
      kind: "and",
      children: [{ kind: "unknown" }, { kind: "comparison", column: ["ok"] }],
    });
  });

  test("with LIKE are a prefix, and more that is unknown where more than the end is open", async () => {
    const prefix = { kind: "startsWith", column: ["Name"], prefix: "ab" };
    expect(await predicateOf("name LIKE 'ab%'")).toEqual(prefix);
    expect(await predicateOf("name LIKE 'ab%c'")).toEqual({
      kind: "and",
      children: [prefix, { kind: "unknown" }],
    });
    expect(await predicateOf("name NOT LIKE 'ab%'")).toEqual({ kind: "not", child: prefix });
    expect(await predicateOf("name LIKE 'ab'")).toMatchObject({ kind: "comparison", operator: "=" });
  });
});

describe("text that is not one condition", () => {
  test.each([
    [""],
    ["1=1) ; DROP TABLE t; SELECT (1"],
    ["id = 1; DELETE FROM t"],
    ["id = 1;"],
    ["id = 1) OR (1 = 1"],
    ["true) UNION ALL SELECT (1"],
    ["id = 1 ORDER BY id"],
    ["id = 1 LIMIT 1"],
    ["id = 1 GROUP BY id HAVING true"],
    ["id = 1, id = 2"],
    ["SELECT 1"],
    ["id = 1 /*"],
    ["id = 'x"],
    ["id = = 1"],
    ["true -- ) \n) OR (true"],
    ["true FROM t"],
  ])("%s is refused", async (sql) => {
    await expect(parsePredicate(duckdb, sql, schema)).rejects.toMatchObject({ code: "DELTA_BAD_PREDICATE" });
  });

  test("a comment at the end does not swallow the parenthesis", async () => {
    const { sql } = await parsePredicate(duckdb, "id = 1 -- the first", schema);
    expect(await duckdb.rows(`SELECT 2 AS n FROM (SELECT 1 AS id) WHERE ${sql}`)).toEqual([{ n: 2 }]);
  });
});

describe("what a condition names", () => {
  test("columns once each, fields of structs with their path, sub-queries included", async () => {
    const { columns, unresolved } = await parsePredicate(
      duckdb,
      "ID = 1 AND id < 2 AND Address.city = 'x' AND exists(SELECT 1 FROM u WHERE price = other)",
      schema,
    );
    expect(columns).toEqual([["id"], ["address", "City"], ["price"]]);
    expect(unresolved).toEqual(["other"]);
  });

  test.each([
    ["random() < 0.5", false],
    ["seen < now()", false],
    ["seen < current_timestamp", false],
    ["day = current_date", false],
    ["name = uuid()::VARCHAR", false],
    ["name = gen_random_uuid()::VARCHAR", false],
    ["nextval('s') = id", false],
    ["pg_postmaster_start_time() > seen", false],
    ["id IN (SELECT 1)", false],
    ["abs(id) + 1 = 5 AND upper(name) LIKE 'X%' AND id % 2 = 0", true],
    ["day >= DATE '2024-01-01' - INTERVAL 1 DAY", true],
  ])("%s: deterministic is %s", async (sql, expected) => {
    expect((await parsePredicate(duckdb, sql, schema)).isDeterministic).toBe(expected);
  });

  test.each([
    ["sum(id) > 5", false],
    ["row_number() OVER () = 1", false],
    ["EXISTS (SELECT 1)", false],
    ["id = 1 AND length(name) = 2", true],
  ])("%s: one row at a time is %s", async (sql, expected) => {
    expect((await parsePredicate(duckdb, sql, schema)).isRowwise).toBe(expected);
  });
});
