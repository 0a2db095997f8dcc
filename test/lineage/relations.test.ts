import { expect, it } from "vitest";
import { readLineage } from "../../layers/lineage/pipeline-lineage.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { lineageOf, only } from "./query-lineage.ts";

const duckdb = await useDuckDb();
const lineage = (sql: string, names: readonly string[]) => lineageOf(duckdb, sql, names);

it("follows nested CTEs and subqueries with renamed columns", async () => {
  expect(
    await lineage(
      `WITH a(x, y) AS (WITH inner_one AS (SELECT id, total FROM bronze.orders WHERE status = 'paid')
                        SELECT id, total / 2 FROM inner_one),
            b AS (SELECT x AS key, sum(y) AS s FROM a GROUP BY x)
       SELECT q.k, q.v FROM (SELECT key, s FROM b) AS q(k, v) WHERE q.v > 0`,
      ["k", "v"],
    ),
  ).toEqual(
    only({
      k: ["identity orders.id"],
      v: ["aggregation orders.total"],
      rows: ["filter orders.status", "filter orders.total", "group_by orders.id"],
    }),
  );
});

it("lets an inner CTE hide an outer one of its name, and a layer's table never", async () => {
  expect(
    await lineage(
      `WITH orders AS (SELECT id AS n FROM bronze.users)
       SELECT a.n, b.total FROM orders a, (WITH orders AS (SELECT total FROM bronze.orders) FROM orders) b`,
      ["n", "total"],
    ),
  ).toEqual(only({ n: ["identity users.id"], total: ["identity orders.total"], rows: [] }));
});

it("takes unions by position and by name", async () => {
  expect(
    await lineage(
      "SELECT id AS a, name AS b FROM bronze.users UNION ALL SELECT user_id, status FROM bronze.orders",
      ["a", "b"],
    ),
  ).toEqual(
    only({
      a: ["identity orders.user_id", "identity users.id"],
      b: ["identity orders.status", "identity users.name"],
      rows: [],
    }),
  );
  expect(
    await lineage("SELECT id, name FROM bronze.users UNION BY NAME SELECT total, id FROM bronze.orders", [
      "id",
      "name",
      "total",
    ]),
  ).toEqual(
    only({
      id: ["identity orders.id", "identity users.id"],
      name: ["identity users.name"],
      total: ["identity orders.total"],
      rows: ["group_by orders.id", "group_by orders.total", "group_by users.id", "group_by users.name"],
    }),
  );
});

it("takes the right side of EXCEPT for a condition", async () => {
  expect(
    await lineage("SELECT id FROM bronze.users EXCEPT SELECT user_id FROM bronze.orders", ["id"]),
  ).toEqual(only({ id: ["identity users.id"], rows: ["filter orders.user_id", "filter users.id"] }));
});

it("goes round in a recursive CTE until nothing new comes in", async () => {
  expect(
    await lineage(
      `WITH RECURSIVE chain(depth, a, b) AS (
         SELECT 0, id, name FROM bronze.users
         UNION ALL
         SELECT depth + 1, o.user_id, chain.a::VARCHAR
         FROM bronze.orders o JOIN chain ON o.cart_id = chain.b::INT AND depth < 2)
       SELECT b FROM chain`,
      ["b"],
    ),
  ).toEqual(
    only({
      b: ["identity users.name", "transformation orders.user_id", "transformation users.id"],
      rows: ["join orders.cart_id", "join orders.user_id", "join users.id", "join users.name"],
    }),
  );
});

it("follows lateral joins, unnest and series", async () => {
  expect(
    await lineage(
      `SELECT u.tag, x.twice, g.generate_series AS n
       FROM bronze.orders o, unnest(o.tags) AS u(tag), LATERAL (SELECT o.total * 2 AS twice) x,
         generate_series(1, o.id) g`,
      ["tag", "twice", "n"],
    ),
  ).toEqual(
    only({
      tag: ["transformation orders.tags"],
      twice: ["transformation orders.total"],
      n: ["transformation orders.id"],
      rows: ["join orders.id", "join orders.tags"],
    }),
  );
  expect(
    await lineage("SELECT status, unnest(range(total)) AS n FROM bronze.orders", ["status", "n"]),
  ).toEqual(
    only({
      status: ["identity orders.status"],
      n: ["transformation orders.total"],
      rows: ["join orders.total"],
    }),
  );
});

it("follows values, pivots and unpivots", async () => {
  expect(
    await lineage("SELECT v.a, w.col0 FROM (VALUES (1, 2)) v(a), (VALUES (3)) w", ["a", "col0"]),
  ).toEqual(only({ a: [], col0: [], rows: [], tables: [] }));
  expect(
    await lineage("FROM bronze.orders PIVOT (sum(total) FOR status IN ('paid', 'open') GROUP BY user_id)", [
      "user_id",
      "paid",
    ]),
  ).toMatchObject({
    user_id: ["identity orders.user_id"],
    paid: ["aggregation orders.total", "transformation orders.status"],
  });
  expect(
    await lineage("SELECT v FROM bronze.users UNPIVOT (v FOR n IN (name, country))", ["v"]),
  ).toMatchObject({ v: ["transformation users.country", "transformation users.name"] });
});

it("takes what a step of code makes to come from all that it is given", async () => {
  const { models } = await readLineage(
    duckdb,
    [
      {
        name: "silver.sessions",
        sql: "SELECT user_id, id AS at, status FROM bronze.orders",
        file: "sessions.sql",
        contract: { columns: { user_id: {}, at: {}, length: {} } },
        kind: "stateful",
        by: ["user_id"],
        order: ["at"],
      },
    ],
    new Map([["bronze.orders", ["id", "user_id", "status"]]]),
  );
  const found = models.get("silver.sessions");
  const from = (column: string) => found?.columns.get(column)?.map((o) => `${o.how} ${o.column}`);
  expect(found?.unresolved).toEqual([]);
  expect(from("user_id")).toEqual(["identity user_id"]);
  expect(from("at")).toEqual(["identity id"]);
  expect(from("length")).toEqual(["user_id", "id", "status"].map((column) => `transformation ${column}`));
});
