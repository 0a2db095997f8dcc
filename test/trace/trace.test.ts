/** Rows behind rows: what a trace shows of a group is what the group is made of. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { identifier, literal } from "../../lakehouse/duckdb/quote.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { build } from "../../layers/models/build.ts";
import { EmbeddedTarget } from "../../layers/publish/embedded.ts";
import { versionToken } from "../../layers/publish/target.ts";
import { publishedStates } from "../../layers/trace/published.ts";
import { type TraceRequest, traceRows } from "../../layers/trace/trace.ts";
import type { TracedTable } from "../../layers/trace/traced.ts";
import type { AnyContract } from "../../schemas/table.ts";
import { type Change, type SourceName, shopPipeline, writeChanges } from "../models/shop.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake, queryTable } from "../support/lake.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const pipeline = await shopPipeline(`${folder.path}/pipeline`);

const read = (...rows: string[][]): Change[] => rows.map((values) => ({ op: "r", values, lsn: 50, seq: 0 }));

async function shop() {
  const lake = newLake(folder.path, duckdb);
  const write = (source: SourceName, changes: readonly Change[]) =>
    writeChanges(lake, duckdb, source, changes);
  await write(
    "orders",
    read(
      ...Array.from({ length: 20 }, (_, i) =>
        [i + 1, i % 5 === 4 ? "NULL" : (i % 5) + 1, i % 4, `'${["a", "b", "void"][i % 3]}'`, i * 5].map(
          String,
        ),
      ),
    ),
  );
  await write("customers", read(["1", "'x'"], ["2", "'y'"], ["3", "NULL"], ["6", "'x'"]));
  await write("regions", read(["'x'", "'north'"], ["'z'", "'a'"]));
  const buildAll = () => build({ lake, concurrency: 2, onProgress: ignoreProgress }, pipeline);
  await buildAll();
  const trace = (table: string, where: TraceRequest["where"], given: Partial<TraceRequest> = {}) =>
    traceRows(lake, pipeline, { table, where, limit: 1000, hidden: () => new Set(), ...given });
  return { lake, write, buildAll, trace };
}

/** Values of a column of the rows that are shown, as text. */
const valuesOf = ({ columns, shown }: TracedTable, column: string) =>
  shown.map((row) => row[columns.indexOf(column)]).map(String);
const inputOf = (node: TracedTable, table: string): TracedTable => {
  const found = node.inputs.find((input) => input.table === table);
  if (found === undefined) throw new RangeError(`${table} is no input of ${node.table}`);
  return found;
};

const AGGREGATES = ["daily", "known", "weekly", "by_region", "by_name", "per_customer", "idle", "pairs"];
const KEYS: Readonly<Record<string, string>> = { orders: "id", customers: "id", regions: "code" };

it("finds the rows from which each group alone can be made", async () => {
  const { lake, trace } = await shop();
  let groups = 0;
  for (const name of AGGREGATES) {
    const key = pipeline.gold?.[name]?.contract.key ?? [];
    const sql = await readFile(fileURLToPath(new URL(`gold/${name}.sql`, pipeline.folder)), "utf8");
    const texts = key.map((column) => `${identifier(column)}::VARCHAR AS ${identifier(column)}`).join(", ");
    for (const group of await queryTable(lake, `shop/gold/${name}`, `SELECT ${texts} FROM t ORDER BY ALL`)) {
      const root = await trace(
        `gold.${name}`,
        key.map((column) => [column, String(group[column])] as const),
      );
      expect(root).toMatchObject({ foundBy: "asked", rows: 1 });
      const session = await duckdb.session();
      for (const input of root.inputs) {
        expect(input.foundBy).toBe("groups");
        const [, table = ""] = input.table.split(".");
        const column = KEYS[table] ?? "";
        const values = valuesOf(input, column).map(literal).join(", ");
        const path = `shop/silver/${table}` as const;
        const scan = await queryTable(
          lake,
          path,
          `SELECT to_json(t)::VARCHAR AS row FROM t WHERE ${column}::VARCHAR IN (${values || "NULL"})`,
        );
        expect(scan).toHaveLength(input.rows);
        const [empty] = await queryTable(lake, path, "SELECT to_json(any_value(t))::VARCHAR AS row FROM t");
        const contract: AnyContract | undefined = pipeline.silver?.[table]?.contract;
        const types = Object.entries(contract?.columns ?? {}).map(
          ([c, { type }]) =>
            `(row->>${literal(c)})::${{ long: "BIGINT", string: "VARCHAR", timestamp: "TIMESTAMPTZ" }[String(type)]} AS ${identifier(c)}`,
        );
        const rows = [empty, ...scan].map((row) => `(${literal(String(row?.row))}::JSON)`);
        await session.view(
          "silver",
          table,
          `SELECT ${types.join(", ")} FROM (VALUES ${rows.join(", ")} OFFSET 1) AS t(row)`,
        );
      }
      const where = key.map((column) => `${identifier(column)}::VARCHAR = ${literal(String(group[column]))}`);
      const made = await session.rows(
        `SELECT COLUMNS(*)::VARCHAR FROM (${sql}) WHERE ${where.join(" AND ")}`,
      );
      await session.close();
      const stored = await queryTable(
        lake,
        `shop/gold/${name}`,
        `SELECT COLUMNS(*)::VARCHAR FROM t WHERE ${where.join(" AND ")}`,
      );
      expect(made).toEqual(stored);
      groups += 1;
    }
  }
  expect(groups).toBeGreaterThan(30);
}, 120_000);

it("goes down to changes in bronze, with their place in the WAL and the commit that brought them", async () => {
  const { write, buildAll, trace, lake } = await shop();
  await write("orders", [{ op: "u", values: ["1", "1", "9", "'a'", "2"], lsn: 0x1_0000_00a0, seq: 2 }]);
  await write("orders", [{ op: "u", values: ["1", "1", "8", "'a'", "3"], lsn: 0x1_0000_00b0, seq: 1 }]);
  await buildAll();
  // What comes later is not what the figure was made from.
  await write("orders", [{ op: "u", values: ["1", "1", "7", "'a'", "4"], lsn: 0x1_0000_00c0, seq: 1 }]);
  const root = await trace("gold.daily", [["day", "2023-11-15"]]);
  const orders = inputOf(root, "silver.orders");
  expect(orders.by).toEqual(["day"]);
  const [direct] = await queryTable(
    lake,
    "shop/silver/orders",
    "SELECT count(*)::INTEGER AS n FROM t WHERE status <> 'void' AND placed::DATE = '2023-11-15'",
  );
  expect(orders.rows).toBe(direct?.n);
  const bronze = inputOf(orders, "bronze.orders");
  expect(bronze).toMatchObject({ foundBy: "key", by: ["id"], version: 2, rows: orders.rows + 2 });
  expect(bronze.origins?.slice(0, 3)).toMatchObject([
    { operation: "u", lsn: "1/B0", version: 2, isJoined: false },
    { operation: "u", lsn: "1/A0", version: 1 },
    { operation: "r", lsn: "0/32", version: 0 },
  ]);
  expect(valuesOf(bronze, "amount").slice(0, 2)).toEqual(["8", "9"]);
  expect((await trace("silver.orders", [["id", "1"]], { limit: 2 })).inputs[0]).toMatchObject({
    rows: 3,
    shown: { length: 2 },
  });
});

it("follows a key whose row is gone, to the changes that took it away", async () => {
  const { trace, write, buildAll } = await shop();
  await write("orders", [{ op: "d", values: ["7", "NULL", "NULL", "NULL", "NULL"], lsn: 90, seq: 0 }]);
  await buildAll();
  const root = await trace("silver.orders", [["ID", "7"]]);
  expect(root).toMatchObject({ rows: 0, shown: [], notes: [expect.stringContaining("no such row")] });
  const bronze = inputOf(root, "bronze.orders");
  expect(bronze.origins?.map(({ operation }) => operation)).toEqual(["d", "r"]);
  // Whatever else is asked for: a row that never was has nothing behind it, and another condition names no key.
  expect(inputOf(await trace("silver.orders", [["id", "999"]]), "bronze.orders").rows).toBe(0);
  expect(inputOf(await trace("silver.orders", [["amount", "-1"]]), "bronze.orders").rows).toBe(0);
});

it("matches rows of models without groups by the columns that their key comes from", async () => {
  const { trace } = await shop();
  const ranking = await trace("gold.ranking", [["customer", "2"]], { column: "orders" });
  expect(ranking).toMatchObject({ rows: 1, columns: ["rank", "orders"] });
  // The rank is made of an order of all rows: no row of the input is the row of a rank.
  expect(ranking.inputs).toMatchObject([{ table: "gold.per_customer", foundBy: "table", rows: 0 }]);
  const compared = await trace("gold.compared", [["day", "2023-11-15"]]);
  expect(inputOf(compared, "gold.daily")).toMatchObject({ foundBy: "lineage", by: ["day"], rows: 1 });
  expect(inputOf(inputOf(compared, "gold.daily"), "silver.orders").foundBy).toBe("groups");
});

it("shows the columns that a column comes from, and hides what is sensitive", async () => {
  const { trace } = await shop();
  const root = await trace(
    "gold.by_region",
    [
      ["region", "x"],
      ["status", "a"],
    ],
    {
      column: "middle",
      hidden: (table) => new Set(table === "silver.customers" ? ["region"] : []),
    },
  );
  expect(root.columns).toEqual(["region", "status", "middle"]);
  expect(inputOf(root, "silver.orders").columns).toEqual(["id", "amount", "status"]);
  expect(valuesOf(inputOf(root, "silver.customers"), "region")).toContain("(hidden)");
});

it("says where versions are gone, and goes on with those that are there", async () => {
  const { write, buildAll, trace, lake } = await shop();
  await write("orders", [{ op: "d", values: ["1", "NULL", "NULL", "NULL", "NULL"], lsn: 900, seq: 1 }]);
  await buildAll();
  const old = await trace("gold.daily", [["day", "2023-11-14"]], { version: 0 });
  expect(old.inputs[0]).toMatchObject({ version: 0, notes: [] });
  await lake.table("shop/silver/orders").store.delete("_delta_log/00000000000000000000.json");
  const later = await trace("gold.daily", [["day", "2023-11-14"]], { version: 0 });
  expect(later.inputs[0]?.notes).toEqual(["shown as it is now: version 0 is gone"]);
});

it("says what consumers see", async () => {
  const { lake, write, buildAll } = await shop();
  const published = { ...pipeline, publish: [{ model: "daily", title: "Days" }] };
  const target = async () => new EmbeddedTarget(lake.store);
  const state = (open = target) => publishedStates(published, "gold.daily", [["day", "2023-11-15"]], 5, open);
  expect(await state()).toMatchObject([{ set: "shop/daily", version: null, rows: [], error: null }]);
  const rows = await queryTable(lake, "shop/gold/daily", "SELECT to_json(t)::VARCHAR AS row FROM t");
  await (await target()).publish({
    set: "shop/daily",
    token: versionToken(0, 0),
    version: 0,
    publishedAt: "2026-01-01T00:00:00.000Z",
    form: { kind: "list" },
    fingerprint: "f",
    columns: [{ name: "day", type: "DATE" }],
    rows: async function* () {
      yield { json: rows.map(({ row }) => String(row)), ids: [], scores: [], values: [] };
    },
  });
  await write("orders", [{ op: "u", values: ["2", "1", "100", "'a'", "3"], lsn: 900, seq: 1 }]);
  await buildAll();
  expect(await state()).toMatchObject([{ version: 0, rows: [{ day: "2023-11-15" }] }]);
  expect(await state(() => Promise.reject(new Error("away")))).toMatchObject([
    { version: null, error: "away" },
  ]);
  expect(await publishedStates(pipeline, "gold.daily", [], 5, target)).toEqual([]);
});

it("refuses columns and values that are none", async () => {
  const { trace } = await shop();
  await expect(trace("gold.daily", [["month", "1"]])).rejects.toMatchObject({
    code: "TRACE_COLUMN",
    value: "month",
  });
  await expect(trace("gold.daily", [["day", "soon"]])).rejects.toMatchObject({
    code: "TRACE_VALUE",
    value: "soon",
  });
  await expect(trace("gold.daily", [], { column: "month" })).rejects.toMatchObject({ code: "TRACE_COLUMN" });
  expect(await trace("gold.daily", [["day", "1999-01-01"]])).toMatchObject({ rows: 0 });
});
