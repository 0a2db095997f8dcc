/** The shop's contracts hold for the shop as bootstrap fills it. */
import { writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { duckdbType } from "../../lakehouse/delta/schema.ts";
import { literal } from "../../lakehouse/duckdb/quote.ts";
import { brokenSql } from "../../layers/contract/check-sql.ts";
import { compileContract } from "../../layers/contract/compile.ts";
import { makeCatalogue } from "../../pipelines/commerce/source/catalogue.ts";
import { historyUntil } from "../../pipelines/commerce/source/history.ts";
import { makeJourneys } from "../../pipelines/commerce/source/journeys.ts";
import { signUps } from "../../pipelines/commerce/source/people.ts";
import { type Shop, TABLES } from "../../pipelines/commerce/source/rows.ts";
import { cartItems, carts } from "../../schemas/commerce/carts.ts";
import { categories, products } from "../../schemas/commerce/catalogue.ts";
import { orderItems, orders } from "../../schemas/commerce/orders.ts";
import { userActions, users } from "../../schemas/commerce/people.ts";
import { type AnyContract, referencesOf } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const contracts: readonly AnyContract[] = [
  categories,
  users,
  products,
  carts,
  cartItems,
  orders,
  orderItems,
  userActions,
];

function makeShop(): Shop {
  const seed = 2026;
  const history = historyUntil(new Date("2026-11-21T15:00:00Z"));
  const catalogue = makeCatalogue(history, 300, seed);
  const signedUp = signUps(history, 2000, seed);
  return {
    seed,
    history,
    catalogue,
    signedUp,
    journeys: () => makeJourneys(history, catalogue, signedUp, 3000, seed),
  };
}

/** SQL of a table's rows, out of the lines that COPY is sent. */
async function rowsOf(contract: AnyContract, shop: Shop): Promise<string> {
  const table = TABLES.find(({ table: name }) => name === contract.name);
  const file = `${folder.path}/${contract.name}.tsv`;
  await writeFile(file, [...(table?.lines(shop) ?? [])].join(""));
  const types = (table?.columns.split(", ") ?? []).map(
    (name) => `${literal(name)}: ${literal(duckdbType(contract.columns[name]?.type ?? ""))}`,
  );
  return `SELECT * FROM read_csv(${literal(file)}, delim = '\t', header = false, quote = '', escape = '',
    nullstr = '\\N', columns = {${types.join(", ")}})`;
}

test("every row keeps its contract, every reference is there, nothing unique is there twice", async () => {
  const session = await duckdb.session();
  try {
    const shop = makeShop();
    for (const contract of contracts) {
      await session.run(`CREATE TABLE ${contract.name} AS ${await rowsOf(contract, shop)}`);
      const { rules, residual } = compileContract(contract);
      expect(residual).toEqual([]);
      const broken = await session.rows(
        `SELECT rule, count(*) AS rows FROM (SELECT unnest(${brokenSql({ rules })}) AS rule FROM ${contract.name}) GROUP BY rule`,
      );
      expect([contract.name, broken]).toEqual([contract.name, []]);
      const [total] = await session.rows(`SELECT count(*) AS rows FROM ${contract.name}`);
      expect(Number(total?.rows)).toBeGreaterThan(30);
    }
    for (const contract of contracts) {
      for (const { column, contract: other, target } of referencesOf(contract)) {
        const missing = await session.rows(
          `SELECT ${column} FROM ${contract.name} WHERE ${column} IS NOT NULL AND ${column} NOT IN (SELECT ${target} FROM ${other}) LIMIT 1`,
        );
        expect([contract.name, column, missing]).toEqual([contract.name, column, []]);
      }
      for (const columns of [contract.key, ...contract.unique]) {
        const twice = await session.rows(
          `SELECT ${columns.join(", ")} FROM ${contract.name} GROUP BY ALL HAVING count(*) > 1 LIMIT 1`,
        );
        expect([contract.name, columns, twice]).toEqual([contract.name, columns, []]);
      }
    }
  } finally {
    await session.close();
  }
});
