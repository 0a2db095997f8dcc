/** Which aggregates are taken, what those that are not are told, and what an increment writes. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { changeFeedSql } from "../../lakehouse/delta/change/change-feed.ts";
import type { Row } from "../../lakehouse/duckdb/duckdb.ts";
import { Lake, type TablePath } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { type AggregateOptions, aggregate, merge } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { type BuildReport, build } from "../../layers/models/build.ts";
import { readModels } from "../../layers/models/model.ts";
import { defineTable, long, text } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake, queryTable } from "../support/lake.ts";
import { type Change, shopPipeline, writeChanges } from "./shop.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

/** The shop with one more aggregate, of customers by `kind`. */
async function withAggregate(
  sql: string,
  options: AggregateOptions = {},
  key = ["kind"],
): Promise<PipelineDefinition> {
  const root = `${folder.path}/${crypto.randomUUID()}`;
  await mkdir(`${root}/silver`, { recursive: true });
  await mkdir(`${root}/gold`);
  await writeFile(`${root}/silver/customers.sql`, "SELECT id, region FROM bronze.customers");
  await writeFile(`${root}/silver/regions.sql`, "SELECT code, name FROM bronze.regions");
  await writeFile(`${root}/gold/kinds.sql`, sql);
  const kinds = defineTable({
    name: "kinds",
    description: "customers by kind",
    key: key as ["kind"],
    columns: { kind: text(), customers: long() },
  });
  return {
    name: "shop",
    folder: pathToFileURL(`${root}/`),
    source: postgres({ tables: { customers: {}, regions: {} } }),
    silver: {
      customers: merge(
        defineTable({
          name: "c",
          description: "c",
          key: ["id"],
          columns: { id: long(), region: text().nullable() },
        }),
      ),
      regions: merge(
        defineTable({
          name: "r",
          description: "r",
          key: ["code"],
          columns: { code: text(), name: text().nullable() },
        }),
      ),
    },
    gold: { kinds: aggregate(kinds, options) },
  };
}

const buildAll = (lake: Lake, definition: PipelineDefinition) =>
  build({ lake, concurrency: 2, onProgress: ignoreProgress }, definition);
const rowsOf = (lake: Lake) => queryTable(lake, "shop/gold/kinds", "FROM t ORDER BY kind");
const changes = (op: Change["op"], lsn: number, ...rows: string[][]): Change[] =>
  rows.map((values) => ({ op, values, lsn, seq: op === "r" ? 0 : 1 }));

const CUSTOMERS = "FROM silver.customers";
it.each([
  [
    "a WITH clause",
    `WITH c AS (SELECT region ${CUSTOMERS}) SELECT region AS kind, count(*) AS customers FROM c GROUP BY 1`,
  ],
  [
    "a sub-query",
    `SELECT region AS kind, count(*) AS customers ${CUSTOMERS} WHERE id > (SELECT 1) GROUP BY 1`,
  ],
  [
    "a window function",
    `SELECT region AS kind, sum(count(*)) OVER (ORDER BY region) AS customers ${CUSTOMERS} GROUP BY 1`,
  ],
  ["a LIMIT or DISTINCT", `SELECT region AS kind, count(*) AS customers ${CUSTOMERS} GROUP BY 1 LIMIT 3`],
  ["more than one set", `SELECT region AS kind, count(*) AS customers ${CUSTOMERS} GROUP BY ROLLUP (1)`],
  ["no GROUP BY", `SELECT region AS kind, id AS customers ${CUSTOMERS}`],
  [
    "more than one SELECT",
    `SELECT region AS kind, count(*) AS customers ${CUSTOMERS} GROUP BY 1 UNION ALL SELECT 'x', 1`,
  ],
  [
    "FULL|OUTER",
    `SELECT region AS kind, count(*) AS customers ${CUSTOMERS} FULL JOIN silver.regions ON code = region GROUP BY 1`,
  ],
  ["beside tables", `SELECT region AS kind, count(*) AS customers ${CUSTOMERS}, range(2) GROUP BY 1`],
  [
    "made of aggregates \\(max\\)",
    `SELECT max(region) AS kind, count(*) AS customers ${CUSTOMERS} GROUP BY id`,
  ],
  ["does not name kind", `SELECT region, count(*) AS customers ${CUSTOMERS} GROUP BY 1`],
  [
    "when it runs \\(now\\)",
    `SELECT region AS kind, count(*) AS customers ${CUSTOMERS} WHERE now() > TIMESTAMPTZ '2020-01-01' GROUP BY 1`,
  ],
  [
    "when it runs \\(current_date\\)",
    `SELECT current_date::VARCHAR AS kind, count(*) AS customers ${CUSTOMERS} GROUP BY 1`,
  ],
])("refuses an aggregate before anything runs: %s", async (reason, sql) => {
  await expect(readModels(duckdb, await withAggregate(sql))).rejects.toMatchObject({
    code: "MODEL_AGGREGATE",
    message: expect.stringMatching(new RegExp(`gold.kinds .*${reason}`)),
    value: expect.stringMatching(/gold\/kinds\.sql$/),
    next: expect.any(String),
  });
});

it("refuses declarations for tables that it does not read, and contracts without key", async () => {
  const sql = `SELECT region AS kind, count(*) AS customers ${CUSTOMERS} GROUP BY 1`;
  const touches = { "silver.regions": "SELECT name AS kind FROM changed" };
  await expect(readModels(duckdb, await withAggregate(sql, { touches }))).rejects.toMatchObject({
    code: "MODEL_AGGREGATE",
  });
  await expect(readModels(duckdb, await withAggregate(sql, {}, []))).rejects.toMatchObject({
    code: "MODEL_AGGREGATE",
  });
});

it("asks for a declaration where the key depends on matches through two left joins", async () => {
  const nested = `SELECT coalesce(r.name, '?') AS kind, count(*) AS customers
    ${CUSTOMERS} AS a LEFT JOIN (silver.customers AS b LEFT JOIN silver.regions AS r ON r.code = b.region) ON b.id = a.id + 1 GROUP BY 1`;
  const lake = newLake(folder.path, duckdb);
  await writeChanges(lake, duckdb, "customers", changes("r", 1, ["1", "'x'"], ["2", "'x'"]));
  await writeChanges(lake, duckdb, "regions", changes("r", 1, ["'x'", "'north'"]));
  const [plain, declared] = [
    await withAggregate(nested),
    await withAggregate(nested, {
      touches: {
        "silver.regions": "SELECT coalesce(name, '?') AS kind FROM changed UNION ALL SELECT '?'",
        "silver.customers": "SELECT coalesce(name, '?') AS kind FROM silver.regions UNION ALL SELECT '?'",
      },
    }),
  ];
  await buildAll(lake, plain);
  await writeChanges(lake, duckdb, "regions", changes("u", 2, ["'x'", "'south'"]));
  await expect(buildAll(lake, plain)).rejects.toMatchObject({
    code: "MODEL_AGGREGATE",
    next: expect.stringContaining('"silver.regions"'),
  });
  await buildAll(lake, declared);
  await writeChanges(lake, duckdb, "regions", changes("d", 3, ["'x'", "NULL"]));
  await buildAll(lake, declared);
  expect(await rowsOf(lake)).toEqual([{ kind: "?", customers: 2n }]);
});

it("refuses groups that have a key in common", async () => {
  const sql = `SELECT left(region, 1) AS kind, count(*) AS customers ${CUSTOMERS} GROUP BY region`;
  const definition = await withAggregate(sql);
  const lake = newLake(folder.path, duckdb);
  await writeChanges(lake, duckdb, "regions", []);
  await writeChanges(lake, duckdb, "customers", changes("r", 1, ["1", "'xa'"]));
  await buildAll(lake, definition);
  await writeChanges(lake, duckdb, "customers", changes("i", 2, ["2", "'xb'"]));
  await expect(buildAll(lake, definition)).rejects.toMatchObject({
    code: "MODEL_REPEATED_KEY",
    value: expect.stringContaining("x"),
  });
  expect(await rowsOf(lake)).toEqual([{ kind: "x", customers: 1n }]);
});

it.each([
  ["a byte order mark", "chr(65279) || 'x'"],
  ["the character NUL", "'x' || chr(0)"],
])("keeps groups whose key has %s", async (_, region) => {
  const definition = await withAggregate(
    `SELECT region AS kind, count(*) AS customers ${CUSTOMERS} GROUP BY 1`,
  );
  const lake = newLake(folder.path, duckdb);
  await writeChanges(lake, duckdb, "regions", []);
  await writeChanges(lake, duckdb, "customers", changes("r", 1, ["1", region]));
  await buildAll(lake, definition);
  await writeChanges(lake, duckdb, "customers", changes("i", 2, ["2", region]));
  await buildAll(lake, definition);
  expect((await rowsOf(lake)).map((row) => row.customers)).toEqual([2n]);
});

it("writes the rows that a change changes, and tells no other", async () => {
  const lake = newLake(folder.path, duckdb);
  const shop = await shopPipeline(`${folder.path}/shop`);
  const order = (id: number, customer: number, amount: number) => [
    String(id),
    String(customer),
    String(amount),
    "'a'",
    String(id),
  ];
  await writeChanges(lake, duckdb, "customers", changes("r", 1, ["1", "'x'"], ["2", "'y'"]));
  await writeChanges(lake, duckdb, "regions", changes("r", 1, ["'x'", "'north'"]));
  await writeChanges(
    lake,
    duckdb,
    "orders",
    changes("r", 1, ...[1, 2, 3, 24, 25].map((id) => order(id, (id % 2) + 1, id))),
  );
  expect(new Set((await buildAll(lake, shop)).map(({ status }) => status))).toEqual(new Set(["rebuilt"]));
  expect(new Set((await buildAll(lake, shop)).map(({ status }) => status))).toEqual(new Set(["unchanged"]));

  await writeChanges(lake, duckdb, "orders", changes("u", 2, order(25, 2, 100)));
  const reports = new Map((await buildAll(lake, shop)).map((report) => [report.model, report]));
  const told = async (path: TablePath): Promise<Row[]> => {
    const table = lake.table(path);
    const { version } = await table.existingSnapshot();
    const feed = await changeFeedSql(table, version, version);
    return duckdb.rows(`SELECT * EXCLUDE (_commit_version, _commit_timestamp) FROM (${feed}) ORDER BY ALL`);
  };
  const written = ({ status, rowsOut }: Partial<BuildReport> = {}) => ({ status, rowsOut });
  expect(written(reports.get("silver.orders"))).toEqual({ status: "incremental", rowsOut: 1 });
  expect(written(reports.get("silver.customers"))).toEqual({ status: "unchanged", rowsOut: 0 });
  expect(written(reports.get("gold.daily"))).toEqual({ status: "incremental", rowsOut: 1 });
  expect(
    (await told("shop/gold/daily")).map(({ orders, total, _change_type }) => ({
      orders,
      total,
      _change_type,
    })),
  ).toEqual([
    { orders: 4n, total: 54n, _change_type: "update_preimage" },
    { orders: 4n, total: 129n, _change_type: "update_postimage" },
  ]);
  // Its customer has as many orders as before.
  expect(written(reports.get("gold.idle"))).toEqual({ status: "unchanged", rowsOut: 0 });
  const files = [...(await lake.table("shop/silver/orders").existingSnapshot()).files.values()];
  expect(files.map((file) => file.deletionVector?.cardinality ?? 0)).toEqual(expect.arrayContaining([0, 1]));
});

it("makes a table anew whose input was made anew", async () => {
  const definition = await withAggregate(
    `SELECT coalesce(region, '?') AS kind, count(*) AS customers ${CUSTOMERS} GROUP BY 1`,
  );
  const lake = newLake(folder.path, duckdb);
  await writeChanges(lake, duckdb, "regions", []);
  for (const id of ["1", "2", "3"]) {
    await writeChanges(lake, duckdb, "customers", changes("i", Number(id), [id, "'x'"]));
    await buildAll(lake, definition);
  }
  expect(await rowsOf(lake)).toEqual([{ kind: "x", customers: 3n }]);
  await rm(`${lake.store.root}/shop/bronze/customers`, { recursive: true });
  const again = new Lake(lake.store, duckdb);
  await writeChanges(again, duckdb, "customers", changes("r", 1, ["7", "'y'"]));
  await buildAll(again, definition);
  expect(await rowsOf(again)).toEqual([{ kind: "y", customers: 1n }]);
});

it("keeps the number of files small, and tells nobody of it as a change", async () => {
  const definition = await withAggregate(
    `SELECT coalesce(region, '?') AS kind, count(*) AS customers ${CUSTOMERS} GROUP BY 1`,
  );
  const lake = newLake(folder.path, duckdb);
  await writeChanges(lake, duckdb, "regions", []);
  const rows = Array.from({ length: 40 }, (_, i) => [String(i), "'x'"]);
  await writeChanges(lake, duckdb, "customers", changes("r", 1, ...rows.slice(0, 2)));
  await buildAll(lake, definition);
  let read = 0;
  for (const [i, row] of rows.entries()) {
    await writeChanges(lake, duckdb, "customers", changes("u", i + 2, row));
    const reports = await buildAll(lake, definition);
    read += reports.find(({ model }) => model === "gold.kinds")?.rowsIn ?? 0;
  }
  expect(await rowsOf(lake)).toEqual([{ kind: "x", customers: 40n }]);
  expect(read).toBe(38);
  const { files } = await lake.table("shop/silver/customers").existingSnapshot();
  expect(files.size).toBeLessThan(20);
});
