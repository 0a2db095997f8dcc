/** What a backfill of a model does to its table, to its record and to its history, and what it refuses. */
import { mkdir, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { deleteRows } from "../../lakehouse/delta/change/delete.ts";
import { updateRows } from "../../lakehouse/delta/change/update.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import { Lake } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { prepareBackfill } from "../../layers/backfill/backfill.ts";
import type { BackfillRequest } from "../../layers/backfill/subject.ts";
import { acceptedValues, sql } from "../../layers/definition/audit.ts";
import { aggregate, append, full, merge } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { build } from "../../layers/models/build.ts";
import { date, defineTable, long, text, timestamp } from "../../schemas/index.ts";
import { type Change, writeChanges } from "../models/shop.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { faultyStore } from "../support/faulty-store.ts";
import { useFolder } from "../support/folder.ts";
import { newLake, queryTable } from "../support/lake.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
let pipelines = 0;

const ORDERS = `SELECT id, customer, amount, status, make_timestamptz(1700006400000000 + hour * 3600000000) AS placed
  FROM bronze.orders`;
const orders = defineTable({
  name: "orders",
  description: "orders",
  key: ["id"],
  columns: {
    id: long(),
    customer: long().nullable(),
    amount: long()
      .check((n) => n.min(0n))
      .nullable(),
    status: text(),
    placed: timestamp(),
  },
});
const daily = defineTable({
  name: "daily",
  description: "days",
  key: ["day"],
  columns: { day: date(), orders: long(), total: long().nullable() },
});
const spread = defineTable({
  name: "spread",
  description: "two times",
  key: ["day", "at"],
  columns: { day: date(), at: timestamp(), orders: long() },
});
const DAILY = `SELECT CAST(placed AT TIME ZONE 'UTC' AS DATE) AS day, count(*) AS orders, sum(amount) AS total
  FROM silver.orders GROUP BY 1`;

/** A pipeline of a few models, whose SQL may be other than usual. */
async function pipelineWith(dailySql = DAILY): Promise<PipelineDefinition> {
  const root = `${folder.path}/pipeline-${pipelines++}`;
  for (const layer of ["silver", "gold"]) await mkdir(`${root}/${layer}`, { recursive: true });
  const events = defineTable({
    name: "events",
    description: "e",
    columns: { id: long(), placed: timestamp() },
  });
  await writeFile(`${root}/silver/orders.sql`, ORDERS);
  await writeFile(
    `${root}/silver/events.sql`,
    "SELECT id, TIMESTAMPTZ '2026-01-01' AS placed FROM bronze.orders",
  );
  await writeFile(`${root}/gold/daily.sql`, dailySql);
  await writeFile(
    `${root}/gold/months.sql`,
    "SELECT date_trunc('month', day)::DATE AS day, sum(orders)::BIGINT AS orders, sum(total)::BIGINT AS total FROM gold.daily GROUP BY 1",
  );
  await writeFile(
    `${root}/gold/spread.sql`,
    "SELECT placed::DATE AS day, placed AS at, count(*) AS orders FROM silver.orders GROUP BY ALL",
  );
  return {
    name: "shop",
    folder: pathToFileURL(`${root}/`),
    source: postgres({ tables: { orders: {} } }),
    silver: { orders: merge(orders), events: append(events) },
    gold: { daily: aggregate(daily), months: full(daily), spread: aggregate(spread) },
  };
}

async function shop(pipeline?: PipelineDefinition) {
  const definition = pipeline ?? (await pipelineWith());
  const lake = newLake(folder.path, duckdb);
  // Three orders a day from 2023-11-15 on.
  const read = Array.from(
    { length: 30 },
    (_, i): Change => ({
      op: "r",
      values: [i + 1, i % 4, i, "'a'", i * 8].map(String),
      lsn: 50,
      seq: 0,
    }),
  );
  await writeChanges(lake, duckdb, "orders", read);
  const buildAll = (other = definition, select?: string[]) =>
    build({ lake, concurrency: 2, onProgress: ignoreProgress, select }, other);
  await buildAll();
  const prepare = (
    given: Partial<BackfillRequest> = {},
    other: { lake?: Lake; pipeline?: PipelineDefinition } = {},
  ) =>
    prepareBackfill({ lake: other.lake ?? lake, onProgress: ignoreProgress }, other.pipeline ?? definition, {
      model: "gold.daily",
      from: "2023-11-16",
      to: "2023-11-19",
      ...given,
    });
  const table = (name: string) => lake.table(`shop/${name}` as `${string}/${string}/${string}`);
  return {
    lake,
    definition,
    buildAll,
    prepare,
    table,
    backfill: async (given: Partial<BackfillRequest> = {}) => (await prepare(given)).run(),
    change: (values: string[], lsn: number) =>
      writeChanges(lake, duckdb, "orders", [{ op: "u", values, lsn, seq: 1 }]),
    daily: () =>
      queryTable(
        lake,
        "shop/gold/daily",
        "SELECT day, orders::INTEGER AS orders, total::INTEGER AS total FROM t ORDER BY day",
      ),
    record: async () =>
      (await table("gold/daily").existingSnapshot()).domains.get("ingot.model")?.configuration,
    domains: async (name = "gold/daily") =>
      [...(await table(name).existingSnapshot()).domains.keys()].filter((d) => d !== "ingot.model"),
  };
}

it("makes the range as it is to be, and nothing outside of it", async () => {
  const { backfill, daily: rows, table, record, domains, buildAll } = await shop();
  const [before, recorded] = [await rows(), await record()];
  await updateRows(table("gold/daily"), { total: "-1" });
  await deleteRows(table("gold/daily"), "day = '2023-11-17'");
  expect(await backfill({ chunk: "1d" })).toMatchObject({ chunks: 3, rowsIn: 3, rowsOut: 3 });
  // Half-open: the 16th, 17th and 18th are right, the 15th and the 19th as they were damaged.
  expect(await rows()).toEqual(before.map((row, i) => (i >= 1 && i < 4 ? row : { ...row, total: -1 })));
  expect(await record()).toBe(recorded);
  expect(await domains()).toEqual([]);
  const [last] = await table("gold/daily").history(1);
  expect(last?.operationParameters).toMatchObject({
    model: "gold.daily",
    backfill: "day 2023-11-16 … 2023-11-19",
  });
  expect((await buildAll()).find(({ model }) => model === "gold.daily")).toMatchObject({
    status: "unchanged",
  });
  expect(await backfill()).toMatchObject({ rowsOut: 0 });
});

it("reads the versions that the table was made from, and leaves what came since to the next build", async () => {
  const { backfill, buildAll, change, daily: rows, table, definition } = await shop();
  const before = await rows();
  await change(["4", "1", "1000", "'a'", "24"], 100);
  await buildAll(definition, ["silver.orders"]);
  await updateRows(table("gold/daily"), { orders: "0" });
  await backfill();
  expect((await rows()).slice(1, 4)).toEqual(before.slice(1, 4));
  await buildAll();
  expect((await rows())[1]).toMatchObject({ orders: 3, total: 1000 + 4 + 5 });
});

it("says before what it will read and who will notice", async () => {
  const { prepare } = await shop();
  expect((await prepare()).plan).toMatchObject({
    model: "gold.daily",
    kind: "aggregate",
    column: "day",
    chunk: "7d",
    chunks: [{ from: "2023-11-16", to: "2023-11-19" }],
    until: null,
    rows: 3,
    reads: [{ table: "silver.orders", version: 0, rows: 30, times: 1 }],
    downstream: ["gold.months"],
    notices: [],
  });
  const silver = await prepare({ model: "silver.orders", column: "placed", chunk: "1d" });
  expect(silver.plan).toMatchObject({
    chunks: { length: 3 },
    rows: 9,
    reads: [{ table: "bronze.orders", times: 6 }],
    downstream: ["gold.daily", "gold.months", "gold.spread"],
  });
  expect((await prepare({ model: "gold.months" })).plan).toMatchObject({
    chunk: null,
    chunks: { length: 1 },
  });
  const late = await prepare({ from: "2024-01-31", to: "2024-04-01", chunk: "1mo" });
  expect(late.plan.chunks.map(({ to }) => to)).toEqual(["2024-02-29", "2024-03-31", "2024-04-01"]);
});

it("goes on where it was killed, begins again for another model or when asked to", async () => {
  const { lake, prepare, table, daily: rows, domains } = await shop();
  const before = await rows();
  await updateRows(table("gold/daily"), { total: "-1" });
  let commits = 0;
  const dying = faultyStore(lake.store, ({ method }) =>
    method === "putIfAbsent"
      ? {
          before: async () => {
            if (commits++ >= 2) throw new TerminalError("killed", { code: "TEST_KILLED" });
          },
        }
      : undefined,
  );
  const days = { from: "2023-11-15", to: "2023-11-22", chunk: "1d" };
  const first = await prepare(days, { lake: new Lake(dying, duckdb) });
  await expect(first.run()).rejects.toMatchObject({ code: "TEST_KILLED" });
  expect(await domains()).toHaveLength(1);
  expect((await prepare({ ...days, anew: true })).plan).toMatchObject({ until: null, chunks: { length: 7 } });
  expect((await prepare({ ...days, to: "2023-11-21" })).plan.until).toBeNull();
  const changed = await pipelineWith(`${DAILY} HAVING count(*) > 0`);
  const other = await prepare({ ...days, accept: true }, { pipeline: changed });
  expect(other.plan).toMatchObject({ until: null, notices: [expect.stringContaining("begins again")] });
  const again = await prepare({ ...days, chunk: "2d" });
  expect(again.plan).toMatchObject({
    until: "2023-11-17",
    chunks: [{ from: "2023-11-17" }, {}, { to: "2023-11-22" }],
  });
  await again.run();
  expect((await rows()).slice(0, 7)).toEqual(before.slice(0, 7));
  expect(await domains()).toEqual([]);
});

it("takes a chunk again when the model was built meanwhile, a bounded number of times", async () => {
  const { lake, prepare, table, daily: rows, change, buildAll } = await shop();
  await updateRows(table("gold/daily"), { total: "-1" });
  let rivals = 0;
  const racing = faultyStore(lake.store, ({ method }) =>
    method === "putIfAbsent"
      ? {
          before: async () => {
            if (rivals >= 2) return;
            rivals += 1;
            await change(["4", "1", String(1000 * rivals), "'a'", "24"], 100 * rivals);
            await buildAll();
          },
        }
      : undefined,
  );
  await (await prepare({ to: "2023-11-18" }, { lake: new Lake(racing, duckdb) })).run();
  expect(rivals).toBe(2);
  expect((await rows())[1]).toMatchObject({ total: 2000 + 4 + 5 });
});

it("makes chunks side by side and commits them in order, also where a row is in two of them", async () => {
  const { lake, prepare, table, daily: rows, domains } = await shop();
  const before = await rows();
  // By a column outside of the key: rows that were damaged are in one chunk as they are, in another as they are to be.
  await updateRows(table("gold/daily"), { total: "total + 30" });
  const untils: unknown[] = [];
  const watching = faultyStore(lake.store, ({ method, path }) =>
    method === "putIfAbsent" && path.startsWith("_delta_log/")
      ? {
          after: async () => {
            const [domain] = await domains();
            const { domains: all } = await table("gold/daily").existingSnapshot();
            untils.push(domain && JSON.parse(all.get(domain)?.configuration ?? "{}").until);
          },
        }
      : undefined,
  );
  const request = { column: "total", from: "0", to: "120", chunk: "20", concurrency: 3 };
  const { plan, run } = await prepare(request, { lake: new Lake(watching, duckdb) });
  expect(plan.chunks).toHaveLength(6);
  expect(await run()).toMatchObject({ chunks: 6 });
  expect(await rows()).toEqual(before);
  expect(untils).toEqual(["20", "40", "60", "80", "100", undefined]);
});

it("makes chunks again that were made before a rival's build", async () => {
  const { lake, prepare, daily: rows, table, change, buildAll } = await shop();
  await updateRows(table("gold/daily"), { total: "-1" });
  let isFirst = true;
  const racing = faultyStore(lake.store, ({ method }) =>
    method === "putIfAbsent" && isFirst
      ? {
          after: async () => {
            isFirst = false;
            // By now the other chunks are made, of an input that is past.
            await change(["9", "1", "1000", "'a'", "64"], 100);
            await buildAll();
          },
        }
      : undefined,
  );
  const days = { from: "2023-11-15", to: "2023-11-20", chunk: "1d", concurrency: 4 };
  await (await prepare(days, { lake: new Lake(racing, duckdb) })).run();
  expect((await rows()).slice(0, 5).map(({ total }) => total)).toEqual([3, 12, 1000 + 6 + 7, 30, 39]);
});

it("ends with the first chunk that fails, whatever was made ahead of it", async () => {
  const { prepare, table } = await shop();
  const failing = await pipelineWith(
    DAILY.replace("sum(amount)", "sum(CASE WHEN id = 5 THEN error('no') END)"),
  );
  const days = { from: "2023-11-15", to: "2023-11-20", chunk: "1d", concurrency: 4, accept: true };
  const { run } = await prepare(days, { pipeline: failing });
  await expect(run()).rejects.toMatchObject({ code: "MODEL_SQL" });
  // What came before it is there and recorded.
  expect((await table("gold/daily").existingSnapshot()).version).toBe(1);
  expect((await prepare(days, { pipeline: failing })).plan.until).toBe("2023-11-16");
});

it("makes a range by a changed SQL only where that is accepted, and builds go on from there", async () => {
  const { prepare, buildAll, change, daily: rows } = await shop();
  const before = await rows();
  const changed = await pipelineWith(DAILY.replace("sum(amount)", "-sum(amount)"));
  await expect(prepare({}, { pipeline: changed })).rejects.toMatchObject({ code: "BACKFILL_MODEL_CHANGED" });
  await (await prepare({ accept: true }, { pipeline: changed })).run();
  const mixed = before.map((row, i) => (i >= 1 && i < 4 ? { ...row, total: -Number(row.total) } : row));
  expect(await rows()).toEqual(mixed);
  expect((await buildAll(changed)).find(({ model }) => model === "gold.daily")?.status).toBe("unchanged");
  await change(["30", "1", "500", "'a'", "232"], 100);
  expect((await buildAll(changed)).find(({ model }) => model === "gold.daily")?.status).toBe("incremental");
  expect((await rows()).slice(0, -1)).toEqual(mixed.slice(0, -1));
  expect((await rows()).at(-1)?.total).toBe(-(27 + 28 + 500));
  // Nothing differs, and the table is the present SQL's all the same.
  const again = await pipelineWith(`${DAILY.replace("sum(amount)", "-sum(amount)")} ORDER BY day`);
  await (await prepare({ accept: true }, { pipeline: again })).run();
  expect((await buildAll(again)).find(({ model }) => model === "gold.daily")?.status).toBe("unchanged");
  const columns = { day: date(), orders: long(), total: text().nullable() };
  const narrow = defineTable({ name: "daily", description: "days", key: ["day"], columns });
  const texts = { ...again, gold: { ...again.gold, daily: aggregate(narrow) } };
  await expect(prepare({ accept: true }, { pipeline: texts })).rejects.toMatchObject({
    code: "BACKFILL_MODEL_CHANGED",
    allowed: expect.stringContaining("columns"),
  });
});

it("does not read versions that are gone: a full model takes newer ones, an aggregate says what to do", async () => {
  const { backfill, buildAll, table, daily: rows, prepare } = await shop();
  // The inputs move on, and their former files go; the models have not been built since.
  await updateRows(table("silver/orders"), { amount: "amount + 1" });
  await updateRows(table("gold/daily"), { total: "total + 1" });
  for (const name of ["silver/orders", "gold/daily"]) {
    const [former, newest] = [await table(name).existingSnapshot(0), await table(name).existingSnapshot()];
    const gone = [...former.files.keys()].filter((path) => !newest.files.has(path));
    expect(gone).not.toEqual([]);
    for (const path of gone) await table(name).store.delete(path);
  }
  await expect(backfill()).rejects.toMatchObject({ code: "BACKFILL_INPUT_GONE", value: "silver.orders@0" });
  const months = await prepare({ model: "gold.months", from: "2023-11-01", to: "2023-12-01" });
  expect(months.plan.notices).toEqual([expect.stringContaining("gold.daily is read as it is now")]);
  // What was read is newer than what is recorded: the next run takes the change in between itself.
  const inputs = async () => {
    const { domains } = await table("gold/months").existingSnapshot();
    return JSON.parse(domains.get("ingot.model")?.configuration ?? "").inputs;
  };
  const recorded = await inputs();
  expect(await months.run()).toMatchObject({ rowsOut: 1 });
  expect(await inputs()).toEqual(recorded);
  await buildAll();
  expect(await backfill()).toMatchObject({ rowsOut: 0 });
  expect(await rows()).toHaveLength(10);
});

it("takes a row by its key where its own value brought it into the range, or takes it out of it", async () => {
  const { backfill, table, lake, daily: rows } = await shop();
  const orders = () => queryTable(lake, "shop/silver/orders", "FROM t ORDER BY id");
  const before = [await rows(), await orders()];
  await updateRows(table("gold/daily"), { total: "-3" }, "day = '2023-11-17'");
  await updateRows(table("silver/orders"), { amount: "700" }, "id = 9");
  expect(await backfill({ column: "total", from: "-5", to: "0" })).toMatchObject({ rowsOut: 1 });
  expect(await backfill({ model: "silver.orders", column: "amount", from: "700", to: "701" })).toMatchObject({
    rowsOut: 1,
  });
  expect([await rows(), await orders()]).toEqual(before);
  // A group that the SQL does not give goes, and one that it gives comes.
  await updateRows(table("gold/daily"), { day: "DATE '2023-12-17'" }, "day = '2023-11-17'");
  await backfill({ to: "2024-01-01" });
  expect(await rows()).toEqual(before[0]);
});

it("commits no chunk that fails an audit", async () => {
  const { prepare, daily: rows, table } = await shop();
  const before = await rows();
  const changed = await pipelineWith(DAILY.replace("sum(amount)", "-sum(amount)"));
  const audits = [
    acceptedValues("orders", [2, 3]),
    sql("no_debts", "SELECT * FROM gold.daily WHERE total < 0"),
  ];
  const audited = { ...changed, gold: { ...changed.gold, daily: aggregate(daily, { audits }) } };
  const { run } = await prepare({ accept: true }, { pipeline: audited });
  await expect(run()).rejects.toMatchObject({ code: "AUDIT_FAILED" });
  expect([await rows(), (await table("gold/daily").existingSnapshot()).version]).toEqual([before, 0]);
});

it("refuses ranges that are none, columns that do not tell, kinds that have no range", async () => {
  const { prepare } = await shop();
  const code = async (given: Partial<BackfillRequest>) =>
    prepare(given).then(
      () => "none",
      (error) => error.code,
    );
  expect(await code({ model: "gold.nope" })).toBe("BACKFILL_MODEL");
  expect(await code({ model: "silver.events" })).toBe("BACKFILL_KIND");
  expect(await code({ model: "silver.orders" })).toBe("BACKFILL_COLUMN");
  expect(await code({ model: "silver.orders", column: "status" })).toBe("BACKFILL_COLUMN");
  expect(await code({ model: "gold.spread" })).toBe("BACKFILL_COLUMN");
  expect(await code({ model: "gold.spread", column: "day" })).toBe("none");
  expect(await code({ from: "2023-11-19" })).toBe("BACKFILL_RANGE");
  expect(await code({ to: "tomorrow'" })).toBe("BACKFILL_RANGE");
  for (const chunk of ["0d", "1h", "7", "d", "-1d", "1.5d"])
    expect(await code({ chunk })).toBe("BACKFILL_CHUNK");
  expect(await code({ chunk: "1d", from: "0001-01-01" })).toBe("BACKFILL_CHUNK");
  expect(await code({ from: "-infinity", chunk: "1d" })).toBe("BACKFILL_CHUNK");
});

it("sets rows aside that break the contract, and takes back those that are right again", async () => {
  const { lake, backfill, change, buildAll, table } = await shop();
  await change(["4", "1", "-5", "'a'", "24"], 100);
  await buildAll();
  const held = () => queryTable(lake, "shop/quarantine/orders", "SELECT key FROM t");
  const ids = () =>
    queryTable(lake, "shop/silver/orders", "SELECT id::INTEGER AS id FROM t WHERE id < 7 ORDER BY id");
  expect([await held(), (await ids()).length]).toEqual([[{ key: '{"id":"4"}' }], 5]);
  // Somebody brought it back by hand, and took another row's place.
  await updateRows(table("silver/orders"), { id: "4", amount: "1" }, "id = 5");
  await backfill({ model: "silver.orders", column: "placed" });
  expect((await ids()).map(({ id }) => id)).toEqual([1, 2, 3, 5, 6]);
  await deleteRows(table("quarantine/orders"));
  await backfill({ model: "silver.orders", column: "id", from: "0", to: "10", chunk: "3" });
  expect(await held()).toEqual([{ key: '{"id":"4"}' }]);
});
