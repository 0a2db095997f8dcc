/** The shop of the incremental benchmark: bronze tables of any size, changes of its newest orders, a rebuild. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import type { StructType } from "../../lakehouse/delta/schema.ts";
import type { DuckDb, Session } from "../../lakehouse/duckdb/duckdb.ts";
import { identifiers, literal } from "../../lakehouse/duckdb/quote.ts";
import { Lake, type TablePath } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { META, META_COLUMNS, META_FIELDS, SOURCE_DOMAIN } from "../../layers/definition/bronze-columns.ts";
import { newestSql } from "../../layers/definition/bronze-state.ts";
import { aggregate, full, merge } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { type BuildReport, build } from "../../layers/models/build.ts";
import { contractSchema } from "../../layers/models/contract.ts";
import { readModels } from "../../layers/models/model.ts";
import { carts } from "../../schemas/commerce/carts.ts";
import { products } from "../../schemas/commerce/catalogue.ts";
import {
  abandonedCartRate,
  dailyConversion,
  dailyRevenue,
  topProductsByQuarter,
} from "../../schemas/commerce/figures.ts";
import { orderItems, orders } from "../../schemas/commerce/orders.ts";
import { dailySales, productSales } from "../../schemas/commerce/sales.ts";

const PIPELINE: PipelineDefinition = {
  name: "commerce",
  folder: pathToFileURL(`${join(process.cwd(), "pipelines", "commerce")}/`),
  source: postgres({ tables: { carts: {}, orders: {}, order_items: {}, products: {} } }),
  silver: {
    carts: merge(carts),
    orders: merge(orders),
    order_items: merge(orderItems),
    products: merge(products),
  },
  gold: {
    daily_sales: aggregate(dailySales),
    daily_conversion: aggregate(dailyConversion),
    product_sales: aggregate(productSales),
    daily_revenue: full(dailyRevenue),
    abandoned_cart_rate: full(abandonedCartRate),
    top_products_by_quarter: full(topProductsByQuarter),
  },
};
const SOURCES = { carts, orders, order_items: orderItems, products };
type SourceName = keyof typeof SOURCES;
export const SOURCE_NAMES: readonly string[] = Object.keys(SOURCES);

const PRODUCTS = 10_000;
/** 2023 to 2025, in microseconds: whatever the size, the shop has been open as long. */
const [OPENED, OPEN_FOR] = [1_672_531_200_000_000n, 94_608_000_000_000n];
/** Of so many orders the newest of which some change. */
const [NEWEST, UPDATED, INSERTED, DELETED] = [2000, 700, 250, 50];

/** Shop of so many orders, in a lake of its own. */
export class BenchShop {
  readonly lake: Lake;
  private readonly folder: string;
  private readonly orders: number;
  private readonly duckdb: DuckDb;
  private lsn = 1000;
  private made: number;

  constructor(folder: string, duckdb: DuckDb, orderCount: number) {
    this.folder = join(folder, `shop-${orderCount}`);
    this.duckdb = duckdb;
    this.orders = orderCount;
    this.made = orderCount;
    this.lake = new Lake(new LocalStore(this.folder), duckdb);
  }

  /** Loads bronze as a first read would, and builds the models. */
  async prepare(): Promise<void> {
    const all = `SELECT i AS id FROM range(1, ${this.orders + 1}) t(i)`;
    await this.write(
      "products",
      `SELECT i AS id, 1 AS category_id, 'product ' || i AS name, 1 AS price, now() AS created_at, now() AS updated_at FROM range(1, ${PRODUCTS + 1}) t(i)`,
      "r",
    );
    await this.write(
      "carts",
      this.cartsSql(`SELECT i AS id FROM range(1, ${Math.round(this.orders * 1.25) + 1}) t(i)`),
      "r",
    );
    await this.write("orders", this.ordersSql(all), "r");
    await this.write("order_items", this.itemsSql(all), "r");
    await this.build();
  }

  private build(): Promise<BuildReport[]> {
    return build({ lake: this.lake, concurrency: 3, onProgress: ignoreProgress }, PIPELINE);
  }

  /** Builds what has changed; answers the models that were made anew, but for one of a single row. */
  async increment(): Promise<readonly string[]> {
    const reports = await this.build();
    const anew = reports.filter(({ status }) => status === "rebuilt").map(({ model }) => model);
    return anew.filter((model) => model !== "gold.abandoned_cart_rate");
  }

  /** 1,000 orders change: of the newest some get on and some are deleted, others are new. Gives how many. */
  async change(): Promise<number> {
    this.lsn += 1000;
    const edition = this.lsn;
    const spread = (count: number, from: number) =>
      `SELECT ${this.orders - NEWEST} + ((i * ${NEWEST / 1000} + ${from}) % ${NEWEST}) + 1 AS id FROM range(${count}) t(i)`;
    const made = `SELECT ${this.made} + i + 1 AS id FROM range(${INSERTED}) t(i)`;
    const gone = `SELECT id FROM (${spread(DELETED, edition % NEWEST)})`;
    this.made += INSERTED;
    await this.write("carts", this.cartsSql(`SELECT id + ${this.orders} AS id FROM (${made})`), "i");
    await this.write(
      "orders",
      this.ordersSql(spread(UPDATED, (edition + DELETED * 2) % NEWEST), edition),
      "u",
    );
    await this.write("orders", this.ordersSql(made, edition), "i");
    await this.write("order_items", this.itemsSql(made), "i");
    await this.write("orders", this.ordersSql(gone, edition), "d");
    await this.write("order_items", this.itemsSql(gone), "d");
    return UPDATED + INSERTED + DELETED;
  }

  /** The same models from the same bronze, by DuckDB alone into Parquet files. */
  async rebuild(): Promise<string> {
    const session = await this.duckdb.session();
    try {
      for (const [name, contract] of Object.entries(SOURCES)) {
        const rows = newestSql(await this.scan(`commerce/bronze/${name}`), contract.key);
        const state = `SELECT * EXCLUDE (${identifiers(META_COLUMNS)}) FROM (${rows}) WHERE ${META.operation} <> 'd'`;
        await session.view("bronze", name, state);
      }
      for (const { layer, table, sql } of await readModels(this.duckdb, PIPELINE)) {
        const file = literal(join(this.folder, `${table}.parquet`));
        await session.run(
          `COPY (${sql}\n) TO ${file} (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2)`,
        );
        await session.view(layer, table, `FROM read_parquet(${file})`);
      }
      return await goldDigest(session);
    } finally {
      await session.close();
    }
  }

  /** What the tables hold, to be compared with that of `rebuild`. */
  async digest(): Promise<string> {
    const session = await this.duckdb.session();
    try {
      for (const name of GOLD_NAMES)
        await session.view("gold", name, await this.scan(`commerce/gold/${name}`));
      return await goldDigest(session);
    } finally {
      await session.close();
    }
  }

  /** A query of all rows of a table of the lake, `commerce/bronze/orders`. */
  async scan(path: TablePath): Promise<string> {
    const table = this.lake.table(path);
    return scanSql(table.store, scannable(await table.existingSnapshot()));
  }

  private at(id: string): string {
    return `make_timestamptz(${OPENED} + (${id} * (${OPEN_FOR}::HUGEINT // ${this.orders}))::BIGINT)`;
  }

  private cartsSql(ids: string): string {
    const at = this.at(`(id * 0.8)::BIGINT`);
    return `SELECT id, id % 100000 AS user_id, ${at} AS created_at, ${at} AS updated_at FROM (${ids})`;
  }

  private ordersSql(ids: string, edition = 0): string {
    const random = (salt: number, bound: number) => `(hash(id, ${edition}, ${salt}) % ${bound})::BIGINT`;
    const status = `['pending', 'paid', 'shipped', 'delivered', 'cancelled', 'refunded'][1 + ${random(1, 6)}]`;
    const cart = `CASE WHEN id > ${this.orders} THEN id + ${this.orders} ELSE (id * 1.25)::BIGINT END`;
    return `SELECT id, ${cart} AS cart_id, id % 100000 AS user_id, ${status} AS status,
        ((hash(id) % 100000)::BIGINT / 100)::DECIMAL(12, 2) AS total, ${this.at("id")} AS created_at, now() AS updated_at FROM (${ids})`;
  }

  private itemsSql(ids: string): string {
    return `SELECT id * 2 + n AS id, id AS order_id, (hash(id, n) % ${PRODUCTS})::BIGINT + 1 AS product_id,
        1 + (hash(n, id) % 4)::INTEGER AS quantity, ((1 + hash(id, n, 1) % 9999)::BIGINT / 100)::DECIMAL(12, 2) AS unit_price, now() AS updated_at
      FROM (${ids}), range(2) t(n)`;
  }

  private async write(name: SourceName, sql: string, operation: string): Promise<void> {
    const table = this.lake.table(`commerce/bronze/${name}`);
    const contract = SOURCES[name];
    const schema: StructType = {
      type: "struct",
      fields: [...contractSchema(contract).fields, ...META_FIELDS],
    };
    const isRead = operation === "r";
    const lsn = isRead ? 1 : this.lsn++;
    const meta = `'${operation}' AS ${META.operation}, ${lsn} AS ${META.lsn}, ${isRead ? "0" : "row_number() OVER ()"} AS ${META.sequence},
      NULL AS ${META.transaction}, NULL AS ${META.committedAt}, now() AS ${META.ingestedAt}, NULL AS ${META.rescued}`;
    const session = await this.duckdb.session();
    try {
      const staged = await table.stage(
        session,
        `SELECT *, ${meta} FROM (${sql})`,
        schema,
        isRead ? { orderBy: "id" } : {},
      );
      const configuration = JSON.stringify({ key: contract.key });
      const base = await table.snapshot();
      await table.write({
        operation: "WRITE",
        base,
        schema,
        staged,
        reads: "nothing",
        domains: [{ domain: SOURCE_DOMAIN, configuration, removed: false }],
      });
    } finally {
      await session.close();
    }
  }
}

export const GOLD_NAMES: readonly string[] = Object.keys(PIPELINE.gold ?? {});

/** A number of the rows of every gold table that a session shows, whatever their order. */
export async function goldDigest(session: Session): Promise<string> {
  const found: string[] = [];
  for (const name of GOLD_NAMES) {
    const [row] = await session.rows(
      `SELECT count(*)::VARCHAR || ':' || coalesce(sum(hash(r::VARCHAR)::HUGEINT), 0)::VARCHAR AS digest FROM gold.${name} AS r`,
    );
    found.push(`${name} ${String(row?.digest)}`);
  }
  return found.join("\n");
}
