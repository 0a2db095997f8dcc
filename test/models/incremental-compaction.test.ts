/** Models of bronze rows over a table whose files are joined and vacuumed while they are behind. */
import { mkdir, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { beforeAll, expect, it } from "vitest";
import { optimizeTable } from "../../lakehouse/delta/maintain/optimize.ts";
import { vacuumTable } from "../../lakehouse/delta/maintain/vacuum.ts";
import type { Lake } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { append, merge, scd2 } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { build } from "../../layers/models/build.ts";
import { type Columns, date, decimal, defineTable, double, text, timestamp } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake, queryTable } from "../support/lake.ts";
import { KEY, writeItems } from "./bronze-items.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const columns = { [KEY[0]]: decimal(9, 2), [KEY[1]]: date(), name: text(), amount: double().nullable() };
const times = { valid_from: timestamp(), valid_to: timestamp().nullable() };
const table = (name: string, key: string[], all: Columns = columns) =>
  defineTable({ name, description: name, key, columns: all });
const TABLES = ["now", "events", "versions"] as const;

const pipeline: PipelineDefinition = {
  name: "shop",
  folder: pathToFileURL(`${folder.path}/pipeline/`),
  source: postgres({ tables: { items: {} } }),
  silver: {
    now: merge(table("now", [...KEY])),
    events: append(table("events", [])),
    versions: scd2(table("versions", [...KEY, "valid_from"], { ...columns, ...times })),
  },
};

beforeAll(async () => {
  await mkdir(`${folder.path}/pipeline/silver`, { recursive: true });
  for (const name of TABLES)
    await writeFile(
      `${folder.path}/pipeline/silver/${name}.sql`,
      'SELECT "a""b", "order", name, amount FROM bronze.items',
    );
});

const run = async (lake: Lake, anew: string[] = []) => {
  const reports = await build({ lake, concurrency: 1, onProgress: ignoreProgress, anew }, pipeline);
  return Object.fromEntries(reports.map(({ model, status, reason }) => [model, [status, reason]]));
};
const write = (lake: Lake, lsn: number, id: number) => {
  const item = { name: `n${lsn}`, amount: lsn };
  return writeItems(lake, duckdb, [{ op: "u", id, item, lsn, seq: 1, us: 1000 * lsn }]);
};
const rows = async (lake: Lake) =>
  Promise.all(TABLES.map((name) => queryTable(lake, `shop/silver/${name}`, "FROM t ORDER BY ALL")));

/** The tables are those that a run over all of bronze makes. */
async function checkRows(lake: Lake): Promise<void> {
  const found = await rows(lake);
  await run(
    lake,
    TABLES.map((name) => `silver.${name}`),
  );
  expect(await rows(lake)).toEqual(found);
}

const all = (found: readonly [string, string?]) =>
  Object.fromEntries(TABLES.map((name) => [`silver.${name}`, [found[0], found[1]]]));

async function behind(): Promise<Lake> {
  const lake = newLake(folder.path, duckdb);
  await write(lake, 10, 1);
  await write(lake, 20, 2);
  await run(lake);
  await write(lake, 30, 1);
  await write(lake, 40, 3);
  return lake;
}
const joined = async (lake: Lake) =>
  expect(await optimizeTable(lake.table("shop/bronze/items"))).toMatchObject({ addedFiles: 1 });

it("goes on with what is new where new files and old ones were joined", async () => {
  const lake = await behind();
  await joined(lake);
  await write(lake, 50, 2);
  expect(await run(lake)).toEqual(all(["incremental"]));
  await write(lake, 60, 4);
  expect(await run(lake)).toEqual(all(["incremental"]));
  await checkRows(lake);
});

it("sees that a change lies before what was taken in, also where files were joined", async () => {
  const lake = await behind();
  await write(lake, 15, 2);
  await joined(lake);
  const reason = "changes lie before, or undo, what was taken in";
  const anew = { ...all(["rebuilt", reason]), "silver.events": ["incremental", undefined] };
  expect(await run(lake)).toEqual(anew);
  await checkRows(lake);
});

it("is made anew where new files were joined and then vacuumed", async () => {
  const lake = await behind();
  await joined(lake);
  const table = lake.table("shop/bronze/items");
  expect((await vacuumTable(table, { retainHours: 0, force: true })).files.length).toBe(4);
  expect(await run(lake)).toEqual(all(["rebuilt", "what is new in bronze is not known"]));
  const [, events] = await rows(lake);
  expect(events?.map(({ amount }) => amount)).toEqual(expect.arrayContaining([10, 20, 30, 40]));
  await write(lake, 50, 1);
  expect(await run(lake)).toEqual(all(["incremental"]));
  await checkRows(lake);
});
