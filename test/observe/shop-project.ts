/** A project of one table, a model of each layer and a metric, over a database of the test. */
import { mkdir, writeFile } from "node:fs/promises";

export interface ShopProject {
  /** Of `ingot.config.ts`: TypeScript of more keys. */
  readonly settings?: string;
  /** TypeScript of more keys of the pipeline. */
  readonly pipeline?: string;
  /** `query` by default. */
  readonly changes?: "wal" | "query";
  /** SQL of gold.totals. */
  readonly gold?: string;
}

/** What the source has to have. */
export const SHOP_TABLES =
  "CREATE TABLE orders (id bigint PRIMARY KEY, kind text NOT NULL, amount int NOT NULL)";

const GOLD =
  "SELECT kind, CAST(count(*) AS BIGINT) AS orders, CAST(sum(amount) AS BIGINT) AS amount FROM silver.orders GROUP BY kind";

export async function writeShop(folder: string, project: ShopProject): Promise<void> {
  await mkdir(`${folder}/silver`, { recursive: true });
  await mkdir(`${folder}/gold`, { recursive: true });
  await writeFile(
    `${folder}/silver/orders.sql`,
    "SELECT CAST(id AS BIGINT) AS id, CAST(kind AS VARCHAR) AS kind, CAST(amount AS BIGINT) AS amount FROM bronze.orders",
  );
  await writeFile(`${folder}/gold/totals.sql`, project.gold ?? GOLD);
  await writeFile(
    `${folder}/ingot.config.ts`,
    `import { aggregate, defineConfig, defineTable, long, merge, postgres, text } from "ingot";
const orders = defineTable({ name: "orders", description: "o", key: ["id"],
  columns: { id: long(), kind: text(), amount: long().check((n) => n.min(0n)) } });
const totals = defineTable({ name: "totals", description: "t", key: ["kind"],
  columns: { kind: text(), orders: long(), amount: long() } });
export default defineConfig({
  ${project.settings ?? ""}
  pipelines: [{
    name: "shop", folder: new URL(".", import.meta.url),
    source: postgres({ changes: "${project.changes ?? "query"}", tables: { orders: {} } }),
    silver: { orders: merge(orders) },
    gold: { totals: aggregate(totals) },
    publish: [{ model: "totals", title: "Totals" }],
    ${project.pipeline ?? ""}
  }],
});
`,
  );
}
