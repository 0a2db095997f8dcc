/** Changes that touch more groups than a query lists: what is kept still equals what is made from nothing. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake } from "../support/lake.ts";
import { type Change, shopPipeline, writeChanges } from "./shop.ts";
import { buildShop, rebuiltRows, shopRows } from "./shop-rows.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const pipeline = await shopPipeline(`${folder.path}/pipeline`);

/** Customers, each with an order or two; a change is of every other one or so. */
const CUSTOMERS = 700;
const LEAST_TOUCHED = 220;

const ids = Array.from({ length: CUSTOMERS }, (_, i) => i + 1);
const orderOf = (id: number, customer: string, edition: number) => [
  String(id),
  customer,
  id % 7 === 0 ? "NULL" : String((id * 13 + edition) % 50),
  `'${["paid", "void", "skip", "new"][(id + edition) % 4]}'`,
  String((id + edition) % 40),
];
const customerOf = (id: number, edition: number) => [
  String(id),
  (id + edition) % 9 === 0 ? "NULL" : `'${"xyzw"[(id * edition) % 4]}'`,
];

/** What becomes of one customer and of the orders of that one. */
const fate = fc.constantFrom("stays", "moves", "goes", "gets another order", "loses its order");
type Fate = typeof fate extends fc.Arbitrary<infer T> ? T : never;

function changesOf(fates: readonly Fate[]) {
  const customers: Change[] = [];
  const orders: Change[] = [];
  fates.forEach((what, i) => {
    const [id, place] = [i + 1, { lsn: 100, seq: i + 1 }];
    if (what === "moves") customers.push({ op: "u", values: customerOf(id, 2), ...place });
    if (what === "goes") customers.push({ op: "d", values: customerOf(id, 1), ...place });
    if (what === "gets another order")
      orders.push({ op: "i", values: orderOf(id + 10_000, i % 11 === 0 ? "NULL" : String(id), 2), ...place });
    if (what === "loses its order") orders.push({ op: "d", values: orderOf(id, String(id), 1), ...place });
  });
  return { customers, orders };
}

it("keeps every model equal to its rebuild, however many groups a change touches", async () => {
  const fates = fc
    .array(fate, { minLength: CUSTOMERS, maxLength: CUSTOMERS })
    .filter((all) => all.filter((what) => what !== "stays").length > LEAST_TOUCHED * 2);
  await fc.assert(
    fc.asyncProperty(fates, async (all) => {
      const lake = newLake(folder.path, duckdb);
      const read = { op: "r", lsn: 1, seq: 0 } as const;
      await writeChanges(lake, duckdb, "regions", [{ ...read, values: ["'x'", "'the x'"] }]);
      await writeChanges(lake, duckdb, "customers", [
        ...ids.map((id) => ({ ...read, values: customerOf(id, 1) })),
      ]);
      await writeChanges(lake, duckdb, "orders", [
        ...ids.map((id) => ({ ...read, values: orderOf(id, String(id), 1) })),
      ]);
      await buildShop(lake, pipeline);
      const { customers, orders } = changesOf(all);
      await writeChanges(lake, duckdb, "customers", customers);
      await writeChanges(lake, duckdb, "orders", orders);
      const reports = await buildShop(lake, pipeline);
      expect(reports.find(({ model }) => model === "gold.per_customer")).toMatchObject({
        status: "incremental",
      });
      expect(await shopRows(lake)).toEqual(await rebuiltRows(lake, folder.path, pipeline));
    }),
    { numRuns: 2, endOnFailure: true },
  );
}, 300_000);
