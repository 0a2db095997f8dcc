/** A small graph of models of every kind, over bronze tables that tests write themselves. */
import { mkdir, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { field, type StructType } from "../../lakehouse/delta/schema.ts";
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import type { Lake } from "../../lakehouse/lake.ts";
import { META_FIELDS, SOURCE_DOMAIN } from "../../layers/definition/bronze-columns.ts";
import { aggregate, append, full, type ModelDefinition, merge, scd2 } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { type Columns, date, defineTable, double, long, text, timestamp } from "../../schemas/index.ts";
import { writeRows } from "../support/rows.ts";

const contract = <C extends Columns>(name: string, key: (keyof C & string)[], columns: C) =>
  defineTable({ name, description: name, key, columns });

interface ModelOfTest {
  readonly layer: "silver" | "gold";
  readonly definition: ModelDefinition;
  readonly sql: string;
}

const silver = (definition: ModelDefinition, sql: string): ModelOfTest => ({
  layer: "silver",
  definition,
  sql,
});
const gold = (definition: ModelDefinition, sql: string): ModelOfTest => ({ layer: "gold", definition, sql });
const n = () => long().nullable();

/** Models by table. */
const MODELS: Readonly<Record<string, ModelOfTest>> = {
  orders: silver(
    merge(
      contract("orders", ["id"], {
        id: long(),
        customer: n(),
        amount: n(),
        status: text(),
        placed: timestamp(),
      }),
    ),
    `SELECT id, customer, amount, status, make_timestamptz(1700000000000000 + hour * 3600000000) AS placed
       FROM bronze.orders WHERE status <> 'skip'`,
  ),
  customers: silver(
    merge(contract("customers", ["id"], { id: long(), region: text().nullable() })),
    "SELECT id, region FROM bronze.customers",
  ),
  regions: silver(
    merge(contract("regions", ["code"], { code: text(), name: text().nullable() })),
    "SELECT code, name FROM bronze.regions",
  ),
  order_events: silver(
    append(contract("order_events", [], { id: n(), op: text(), amount: n() })),
    "SELECT id, _ingot_op AS op, amount FROM bronze.orders",
  ),
  order_versions: silver(
    scd2(
      contract("order_versions", ["id", "valid_from"], {
        id: long(),
        customer: n(),
        status: text(),
        valid_from: timestamp(),
        valid_to: timestamp().nullable(),
      }),
    ),
    "SELECT id, customer, status FROM bronze.orders WHERE status <> 'skip'",
  ),
  by_versions: gold(
    aggregate(contract("by_versions", ["status"], { status: text(), versions: long(), open: long() })),
    `SELECT status, count(*) AS versions, count(*) FILTER (WHERE valid_to IS NULL) AS open
       FROM silver.order_versions GROUP BY status`,
  ),
  daily: gold(
    aggregate(contract("daily", ["day"], { day: date(), orders: long(), total: n(), buyers: long() })),
    `SELECT CAST(placed AT TIME ZONE 'UTC' AS DATE) AS day, count(*) AS orders, sum(amount) AS total,
            count(DISTINCT customer) AS buyers
       FROM silver.orders WHERE status <> 'void' GROUP BY day HAVING count(*) > 1 ORDER BY day`,
  ),
  known: gold(
    aggregate(contract("known", ["day"], { day: date(), orders: long(), known: long(), regions: long() })),
    `SELECT CAST(o.placed AT TIME ZONE 'UTC' AS DATE) AS day, count(*) AS orders, count(c.id) AS known,
            count(DISTINCT r.code) AS regions
       FROM silver.orders o LEFT JOIN silver.customers c ON o.customer = c.id AND c.region <> 'y'
       LEFT JOIN silver.regions r ON c.region = r.code GROUP BY 1`,
  ),
  weekly: gold(
    aggregate(contract("weekly", ["week", "region"], { week: timestamp(), region: text(), total: n() })),
    `SELECT date_trunc('day', placed) AS week, coalesce(region, '?') AS region, sum(amount + c.id) AS total
       FROM silver.customers c JOIN silver.orders o ON c.id = o.customer GROUP BY ALL`,
  ),
  by_region: gold(
    aggregate(
      contract("by_region", ["region", "status"], {
        region: text(),
        status: text(),
        orders: long(),
        middle: double().nullable(),
        least: n(),
        most: n(),
      }),
    ),
    `SELECT coalesce(region, 'none') AS region, status, count(*) AS orders, median(amount) AS middle,
            min(amount) AS least, max(amount) AS most
       FROM silver.orders o JOIN silver.customers AS c ON c.id = customer
       WHERE amount >= 0 GROUP BY 1, 2`,
  ),
  by_name: gold(
    aggregate(contract("by_name", ["name"], { name: text(), orders: long(), total: n() })),
    `SELECT coalesce(r.name, c.region, '?') AS name, count(*) AS orders, sum(o.amount) AS total
       FROM silver.orders o LEFT JOIN silver.customers c ON c.id = o.customer
       LEFT JOIN silver.regions r ON r.code = region GROUP BY ALL`,
  ),
  per_customer: gold(
    aggregate(
      contract("per_customer", ["customer"], {
        customer: long(),
        orders: long(),
        last: timestamp().nullable(),
      }),
    ),
    `SELECT customers.id AS customer, count(o.id) AS orders, max(o.placed) AS last
       FROM silver.customers LEFT JOIN silver.orders AS o ON o.customer = silver.customers.id
       GROUP BY silver.customers.id`,
  ),
  idle: gold(
    aggregate(contract("idle", ["region"], { region: text(), customers: long() })),
    `SELECT coalesce(c.region, '-') AS region, count(*) AS customers
       FROM silver.customers c LEFT JOIN (silver.orders o JOIN silver.regions r ON r.name = o.status)
         ON o.customer = c.id
       WHERE o.id IS NULL GROUP BY 1`,
  ),
  pairs: gold(
    aggregate(contract("pairs", ["customer"], { customer: long(), pairs: long() })),
    `SELECT a.customer, count(*) AS pairs FROM silver.orders a, silver.orders b
       WHERE a.customer = b.customer AND a.id < b.id GROUP BY ALL`,
  ),
  following: gold(
    aggregate(contract("following", ["id"], { id: long(), others: long() })),
    `SELECT a.id, count(*) AS others FROM silver.orders a, silver.orders b
       WHERE b.customer = a.customer + 1 GROUP BY a.id`,
  ),
  by_load: gold(
    aggregate(
      contract("by_load", ["load", "month"], { load: long(), month: timestamp(), orders: long(), ids: n() }),
    ),
    `SELECT coalesce(p.orders, -1) AS load, date_trunc('day', placed) AS month, count(*) AS orders,
            sum(id) AS ids
       FROM silver.orders LEFT JOIN gold.per_customer AS p USING (customer) GROUP BY load, month`,
  ),
  compared: gold(
    aggregate(contract("compared", ["day"], { day: date(), orders: long(), before: n() }), {
      touches: { "gold.daily": "SELECT day FROM changed" },
      reach: "SELECT day + 1 AS day FROM touched",
    }),
    `WITH d AS (SELECT day, orders FROM gold.daily)
     SELECT d.day, d.orders, p.orders AS before FROM d LEFT JOIN d AS p ON p.day = d.day - 1`,
  ),
  sizes: gold(
    aggregate(contract("sizes", ["orders"], { orders: long(), customers: long() })),
    "SELECT orders, count(*) AS customers FROM gold.per_customer GROUP BY orders",
  ),
  ranking: gold(
    full(contract("ranking", ["rank"], { rank: long(), customer: long(), orders: long() })),
    "SELECT row_number() OVER (ORDER BY orders DESC, customer) AS rank, customer, orders FROM gold.per_customer",
  ),
  figure: gold(
    full(contract("figure", [], { customers: long(), share: double().nullable() })),
    "SELECT count(*) AS customers, avg(CAST(orders > 0 AS INTEGER)) AS share FROM gold.per_customer",
  ),
};

/** Tables of the graph, as `layer/table`. */
export const MODEL_TABLES = Object.entries(MODELS).map(([name, { layer }]) => `${layer}/${name}` as const);

const bronze = (...fields: StructType["fields"][number][]): StructType => ({
  type: "struct",
  fields: [...fields, ...META_FIELDS],
});

const SOURCES = {
  orders: {
    key: "id",
    schema: bronze(
      field("id", "long"),
      field("customer", "long"),
      field("amount", "long"),
      field("status", "string"),
      field("hour", "long"),
    ),
  },
  customers: { key: "id", schema: bronze(field("id", "long"), field("region", "string")) },
  regions: { key: "code", schema: bronze(field("code", "string"), field("name", "string")) },
} as const;
export type SourceName = keyof typeof SOURCES;

/** Writes the SQL of the models into a folder. */
export async function shopPipeline(root: string): Promise<PipelineDefinition> {
  await mkdir(`${root}/silver`, { recursive: true });
  await mkdir(`${root}/gold`, { recursive: true });
  for (const [name, { layer, sql }] of Object.entries(MODELS))
    await writeFile(`${root}/${layer}/${name}.sql`, sql);
  const of = (layer: string) =>
    Object.fromEntries(
      Object.entries(MODELS).flatMap(([name, model]) =>
        model.layer === layer ? [[name, model.definition]] : [],
      ),
    );
  return {
    name: "shop",
    folder: pathToFileURL(`${root}/`),
    source: postgres({ tables: { orders: {}, customers: {}, regions: {} } }),
    silver: of("silver"),
    gold: of("gold"),
  };
}

/** One change of a bronze table; `values` in the order of its columns, as SQL. */
export interface Change {
  readonly op: "r" | "i" | "u" | "d" | "t";
  readonly values: readonly string[];
  readonly lsn: number;
  readonly seq: number;
}

/** Commits changes to a bronze table; none make a commit without rows. */
export async function writeChanges(
  lake: Lake,
  duckdb: DuckDb,
  source: SourceName,
  changes: readonly Change[],
): Promise<void> {
  const rows = changes.map(({ op, values, lsn, seq }) => `(${[...values, `'${op}'`, lsn, seq].join(", ")})`);
  const { key, schema } = SOURCES[source];
  const names = schema.fields.slice(0, -4).map((f) => f.name);
  const nothing = `SELECT ${names.map((name) => `NULL AS ${name}`).join(", ")} WHERE false`;
  const given =
    rows.length === 0 ? nothing : `SELECT * FROM (VALUES ${rows.join(", ")}) v(${names.join(", ")})`;
  const rest = "NULL AS _ingot_xid, NULL AS _ingot_committed_at, NULL AS _ingot_at, NULL AS _ingot_rescued";
  const domains = [{ domain: SOURCE_DOMAIN, configuration: JSON.stringify({ key: [key] }), removed: false }];
  await writeRows(duckdb, lake.table(`shop/bronze/${source}`), `SELECT *, ${rest} FROM (${given})`, {
    schema,
    domains,
  });
}
