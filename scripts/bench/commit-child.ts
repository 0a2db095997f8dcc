/**
 * The measured parts of the commit benchmark, each in a process of its own: `append FOLDER COMMITS`,
 * `extend FOLDER VERSION`, `open FOLDER ROUNDS`.
 */
import { randomUUID } from "node:crypto";
import { link, mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { commitPath } from "../../lakehouse/delta/log.ts";
import { field, type StructType } from "../../lakehouse/delta/schema.ts";
import { DeltaTable } from "../../lakehouse/delta/table.ts";
import { DuckDb, type Session } from "../../lakehouse/duckdb/duckdb.ts";
import { literal } from "../../lakehouse/duckdb/quote.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { createTable, openTable } from "../../lakehouse/table/open.ts";
import { median, quantile, report, timed } from "./bench.ts";

const [mode, folder = "", count = "0"] = process.argv.slice(2);
const ROWS = 10;
const ENGINE = { memoryMb: 256, threads: 2 };
const SCHEMA: StructType = {
  type: "struct",
  fields: [
    field("id", "long"),
    field("name", "string"),
    field("total", "decimal(12,2)"),
    field("at", "timestamp"),
  ],
};
const rowsSql = (round: number) =>
  `SELECT ${round} * ${ROWS} + i AS id, 'name ' || i AS name, i / 4 AS total, to_timestamp(${round} + i) AS at FROM range(${ROWS}) t(i)`;

/** Appends of ten rows, each followed by what no durable append can do without. */
async function append(): Promise<{ rows: number; figures: Record<string, number> }> {
  const commits = Number(count);
  const duckdb = await DuckDb.open(ENGINE);
  const table = await createTable(join(folder, "table"), { schema: SCHEMA, duckdb });
  const floor = new LocalStore(join(folder, "floor"));
  const session = await duckdb.session();
  const [appends, floors]: [number[], number[]] = [[], []];
  for (let version = 1; version <= commits; version++) {
    appends.push((await timed(() => table.append({ sql: rowsSql(version) }))).milliseconds);
    const entry = await readFile(join(folder, "table", commitPath(version)));
    floors.push((await timed(() => writePlain(floor, session, version, entry))).milliseconds);
  }
  const rows = await (await table.snapshot()).count();
  await session.close();
  duckdb.close();
  await rm(join(folder, "floor"), { recursive: true });
  const tenth = Math.max(1, Math.floor(commits / 10));
  const relative = (from: number, to: number) =>
    median(appends.slice(from, to)) / median(floors.slice(from, to));
  return {
    rows,
    figures: {
      appendMs: median(appends),
      appendP95Ms: quantile(appends, 0.95),
      firstAppendMs: median(appends.slice(0, tenth)),
      lastAppendMs: median(appends.slice(-tenth)),
      floorMs: median(floors),
      appendRatio: relative(0, commits),
      // By the floor of the same minute: the machine is not equally fast all the time.
      appendGrowth: relative(commits - tenth, commits) / relative(0, tenth),
    },
  };
}

/** One Parquet file of the same rows and one log entry of the same bytes, both durable. */
async function writePlain(
  store: LocalStore,
  session: Session,
  version: number,
  entry: Uint8Array,
): Promise<void> {
  const file = join(store.root, `staged-${version}.parquet`);
  await mkdir(store.root, { recursive: true });
  await session.run(`COPY (${rowsSql(version)}) TO ${literal(file)} (FORMAT parquet, COMPRESSION zstd)`);
  await store.putFile(`part-${randomUUID()}.parquet`, file);
  await store.putIfAbsent(`log/${version}.json`, entry);
}

/** More commits without the rows: each adds one more name of the first data file, by the kernel's own commit. */
async function extend(): Promise<{ rows: number; figures: Record<string, number> }> {
  const store = new LocalStore(join(folder, "table"));
  const duckdb = await DuckDb.open(ENGINE);
  const table = new DeltaTable(store, duckdb);
  const [first] = (await table.existingSnapshot()).files.values();
  if (first === undefined) throw new Error(`no data file in ${store.root}`);
  const commits: number[] = [];
  for (;;) {
    const base = await table.existingSnapshot();
    if (base.version >= Number(count)) break;
    const path = `part-${randomUUID()}.parquet`;
    await link(join(store.root, first.path), join(store.root, path));
    const actions = [{ add: { ...first, path, dataChange: true } }];
    const { milliseconds } = await timed(() =>
      table.commit({ base, operation: "WRITE", actions, reads: "nothing" }),
    );
    commits.push(milliseconds);
  }
  duckdb.close();
  const tenth = Math.max(1, Math.floor(commits.length / 10));
  return {
    rows: commits.length,
    figures: {
      commitMs: median(commits),
      commitP95Ms: quantile(commits, 0.95),
      commitGrowth: median(commits.slice(-tenth)) / median(commits.slice(0, tenth)),
    },
  };
}

/** Opens the table as a program does that knows nothing of it; the engine is warm. */
async function open(): Promise<{ rows: number; figures: Record<string, number> }> {
  const duckdb = await DuckDb.open(ENGINE);
  await duckdb.rows("SELECT 1");
  const opens: number[] = [];
  let files = 0;
  for (let round = 0; round <= Number(count); round++) {
    const { milliseconds } = await timed(async () => {
      const table = await openTable(join(folder, "table"), { duckdb });
      files = [...(await table.snapshot()).state.files.values()].length;
    });
    opens.push(milliseconds);
  }
  duckdb.close();
  // The first one in a process also pays for compiling what it runs.
  return { rows: files, figures: { firstOpenMs: opens[0] ?? Number.NaN, openMs: median(opens.slice(1)) } };
}

await report(mode === "append" ? append : mode === "extend" ? extend : open);
process.disconnect?.();
