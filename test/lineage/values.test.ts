import { expect, it } from "vitest";
import { useDuckDb } from "../support/duckdb.ts";
import { lineageOf, only, TABLES } from "./query-lineage.ts";

const duckdb = await useDuckDb();
const lineage = (sql: string, names: readonly string[]) => lineageOf(duckdb, sql, names);

it("tells what is taken as it is from what is changed and from what is summed up", async () => {
  expect(
    await lineage(
      "SELECT user_id AS u, upper(status) AS s, sum(total) AS t, count(*) AS n FROM bronze.orders GROUP BY ALL",
      ["u", "s", "t", "n"],
    ),
  ).toEqual({
    u: ["identity orders.user_id"],
    s: ["transformation orders.status"],
    t: ["aggregation orders.total"],
    n: ["aggregation orders.*"],
    rows: ["group_by orders.status", "group_by orders.user_id"],
    tables: ["aggregation orders.*"],
  });
});

it("tells values from what decides between them", async () => {
  expect(
    await lineage(
      `SELECT CASE WHEN status = 'paid' THEN total ELSE 0 END AS a, if(id > 1, user_id, cart_id) AS b,
         coalesce(nullif(user_id, 2), cart_id) AS c
       FROM bronze.orders`,
      ["a", "b", "c"],
    ),
  ).toEqual(
    only({
      a: ["conditional orders.status", "transformation orders.total"],
      b: ["conditional orders.id", "transformation orders.cart_id", "transformation orders.user_id"],
      c: ["transformation orders.cart_id", "transformation orders.user_id"],
      rows: [],
    }),
  );
  expect(
    await lineage(
      `SELECT sum(total) FILTER (WHERE status = 'paid') AS a, arg_max(total, made) AS b,
         string_agg(status, ',' ORDER BY made, id) AS c, count(*) FILTER (WHERE id > 2) AS d
       FROM bronze.orders`,
      ["a", "b", "c", "d"],
    ),
  ).toEqual(
    only({
      a: ["aggregation orders.total", "filter orders.status"],
      b: ["aggregation orders.made", "aggregation orders.total"],
      c: ["aggregation orders.status", "sort orders.id", "sort orders.made"],
      d: ["aggregation orders.*", "filter orders.id"],
      rows: [],
    }),
  );
});

it("follows windows", async () => {
  expect(
    await lineage(
      `SELECT lag(total) OVER (PARTITION BY user_id ORDER BY made) AS a, sum(total) OVER w AS b,
         row_number() OVER (ORDER BY id) AS c
       FROM bronze.orders WINDOW w AS (PARTITION BY status) QUALIFY c < 3`,
      ["a", "b", "c"],
    ),
  ).toEqual(
    only({
      a: ["transformation orders.total", "window orders.made", "window orders.user_id"],
      b: ["aggregation orders.total", "window orders.status"],
      c: ["window orders.id"],
      rows: ["filter orders.id"],
    }),
  );
});

it("follows structs, JSON, lists and lambdas", async () => {
  expect(
    await lineage(
      `SELECT payload.address.city AS a, o.payload['x'] AS b, doc -> '$.y' ->> 'z' AS c,
         list_transform(tags, t -> t || status) AS d, [upper(t) FOR t IN tags IF t <> ''] AS e,
         list_filter(tags, lambda t, i: i > id) AS f, {'k': total, 'l': status} AS g, o AS h
       FROM bronze.orders AS o`,
      ["a", "b", "c", "d", "e", "f", "g", "h"],
    ),
  ).toEqual(
    only({
      a: ["identity orders.payload"],
      b: ["transformation orders.payload"],
      c: ["transformation orders.doc"],
      d: ["transformation orders.status", "transformation orders.tags"],
      e: ["transformation orders.tags"],
      f: ["transformation orders.id", "transformation orders.tags"],
      g: ["transformation orders.status", "transformation orders.total"],
      h: (TABLES.get("bronze.orders") ?? []).map((name) => `transformation orders.${name}`).sort(),
      rows: [],
    }),
  );
});

it("follows a name of the select list into its other items and clauses", async () => {
  expect(
    await lineage(
      `SELECT total * 2 AS twice, twice + id AS more FROM bronze.orders
       WHERE twice > 1 QUALIFY rank() OVER (ORDER BY twice) > 0 ORDER BY more LIMIT 3`,
      ["twice", "more"],
    ),
  ).toEqual(
    only({
      twice: ["transformation orders.total"],
      more: ["transformation orders.id", "transformation orders.total"],
      rows: ["filter orders.total", "sort orders.id", "sort orders.total"],
    }),
  );
  expect(
    await lineage(
      "SELECT user_id AS u, count(*) AS n FROM bronze.orders GROUP BY 1 HAVING n > 1 AND max(total) > 1",
      ["u", "n"],
    ),
  ).toEqual({
    u: ["identity orders.user_id"],
    n: ["aggregation orders.*"],
    rows: ["filter orders.total", "group_by orders.user_id"],
    tables: ["aggregation orders.*", "filter orders.*"],
  });
  expect(
    await lineage("SELECT DISTINCT ON (user_id) user_id, id FROM bronze.orders ORDER BY made, id", ["id"]),
  ).toEqual(
    only({
      id: ["identity orders.id"],
      rows: ["group_by orders.user_id", "sort orders.id", "sort orders.made"],
    }),
  );
});
