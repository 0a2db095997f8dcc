import { expect, it } from "vitest";
import { readLineage } from "../../layers/lineage/pipeline-lineage.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { lineageOf, only, TABLES } from "./query-lineage.ts";

const duckdb = await useDuckDb();
const lineage = (sql: string, names: readonly string[], tables = TABLES) =>
  lineageOf(duckdb, sql, names, tables);

it("expands stars with EXCLUDE, REPLACE and RENAME", async () => {
  expect(
    await lineage(
      "SELECT * EXCLUDE (name) REPLACE (upper(country) AS country) RENAME (id AS key) FROM bronze.users",
      ["key", "country"],
    ),
  ).toEqual(only({ key: ["identity users.id"], country: ["transformation users.country"], rows: [] }));
  expect(
    await lineage("SELECT u.*, o.* EXCLUDE (id, tags) FROM bronze.users u, bronze.orders o", ["id", "total"]),
  ).toMatchObject({ id: ["identity users.id"], total: ["identity orders.total"] });
});

it("expands COLUMNS by pattern, inside of functions too", async () => {
  expect(
    await lineage("SELECT max(COLUMNS('.*_id')) FROM bronze.orders", ["cart_id", "user_id"]),
  ).toMatchObject({ cart_id: ["aggregation orders.cart_id"], user_id: ["aggregation orders.user_id"] });
});

it("has one column for both sides of USING and NATURAL", async () => {
  expect(
    await lineage("SELECT id, name, total FROM bronze.users LEFT JOIN bronze.orders USING (id)", [
      "id",
      "name",
      "total",
    ]),
  ).toEqual(
    only({
      id: ["identity users.id"],
      name: ["identity users.name"],
      total: ["identity orders.total"],
      rows: ["join orders.id", "join users.id"],
    }),
  );
  expect(
    await lineage("SELECT * FROM bronze.users FULL JOIN bronze.carts USING (id)", ["id", "user_id"]),
  ).toMatchObject({ id: ["identity carts.id", "identity users.id"], user_id: ["identity carts.user_id"] });
  expect(
    await lineage("SELECT * FROM bronze.orders NATURAL JOIN bronze.carts", ["id", "user_id"]),
  ).toMatchObject({
    id: ["identity orders.id"],
    rows: ["join carts.id", "join carts.user_id", "join orders.id", "join orders.user_id"],
  });
});

it("resolves qualified and unqualified names, whatever their case", async () => {
  expect(
    await lineage(
      `SELECT STATUS AS name, Orders.TOTAL AS total, bronze.users.country, u2.name AS other
       FROM bronze.users JOIN bronze.orders ON users.id = orders.user_id, bronze.users AS u2`,
      ["name", "total", "country", "other"],
    ),
  ).toEqual(
    only({
      name: ["identity orders.status"],
      total: ["identity orders.total"],
      country: ["identity users.country"],
      other: ["identity users.name"],
      rows: ["join orders.user_id", "join users.id"],
    }),
  );
});

it("resolves correlated subqueries", async () => {
  expect(
    await lineage(
      `SELECT u.name,
         (SELECT max(o.total) FROM bronze.orders o WHERE o.user_id = u.id) AS most,
         EXISTS (FROM bronze.carts WHERE user_id = u.id) AS has_cart
       FROM bronze.users u
       WHERE u.country IN (SELECT status FROM bronze.orders WHERE total > 5)`,
      ["name", "most", "has_cart"],
    ),
  ).toEqual({
    name: ["identity users.name"],
    most: ["aggregation orders.total", "conditional orders.user_id", "conditional users.id"],
    has_cart: ["aggregation carts.*", "conditional carts.user_id", "conditional users.id"],
    rows: ["filter orders.status", "filter orders.total", "filter users.country"],
    tables: ["aggregation users.*"],
  });
});

it("takes semi and anti joins for conditions", async () => {
  expect(
    await lineage("SELECT * FROM bronze.users u ANTI JOIN bronze.orders o ON o.user_id = u.id", ["id"]),
  ).toEqual({
    id: ["identity users.id"],
    rows: ["join orders.user_id", "join users.id"],
    tables: ["aggregation users.*", "filter orders.*"],
  });
});

it("gives a table whose columns are not known every column that it is asked for", async () => {
  expect(
    await lineage(
      "SELECT *, c.user_id AS u FROM bronze.orders o JOIN bronze.carts c ON c.id = cart_id",
      ["x", "u"],
      new Map(),
    ),
  ).toMatchObject({ u: ["identity carts.user_id"], x: ["identity carts.x", "identity orders.x"] });
});

it("knows bronze's own columns by name, and keeps them out of stars", async () => {
  expect(
    await lineage("SELECT u.*, _ingot_op AS op FROM bronze.users u", ["id", "op"], new Map(TABLES)),
  ).toEqual(only({ id: ["identity users.id"], op: ["identity users._ingot_op"], rows: [] }));
  expect(await lineage("SELECT DISTINCT * FROM bronze.carts", ["id"])).toMatchObject({
    rows: ["group_by carts.id", "group_by carts.user_id"],
  });
});

it("says which names it did not find", async () => {
  const model = {
    name: "silver.t",
    sql: "SELECT nope AS a FROM bronze.users",
    file: "t.sql",
    contract: { columns: { a: {}, b: {} } },
  };
  const { models } = await readLineage(duckdb, [model], TABLES);
  expect(models.get("silver.t")?.unresolved).toEqual(["nope", "b"]);
  await expect(readLineage(duckdb, [{ ...model, sql: "DROP TABLE x" }])).rejects.toMatchObject({
    code: "LINEAGE_SQL",
  });
});
