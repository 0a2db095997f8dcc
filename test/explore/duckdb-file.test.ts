import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { DuckDBInstance } from "@duckdb/node-api";
import { describe, expect, test } from "vitest";
import { exportDuckDb } from "../../jobs/explore/duckdb-file.ts";
import { openExplorer } from "../../jobs/explore/explorer.ts";
import type { Runtime } from "../../jobs/runtime.ts";
import { appendRows } from "../../lakehouse/delta/change/append.ts";
import { deleteRows } from "../../lakehouse/delta/change/delete.ts";
import { createTable } from "../../lakehouse/delta/create.ts";
import { field } from "../../lakehouse/delta/schema.ts";
import type { TablePath } from "../../lakehouse/lake.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { makeLake } from "./explored-lake.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const runtime: Runtime = await makeLake(folder.path, duckdb);

/** A table of which every third row, or all but every third, is deleted by vectors. */
async function tableWithout(path: TablePath, rows: number, condition: string): Promise<void> {
  const table = runtime.lake.table(path);
  await createTable(table, {
    schema: { type: "struct", fields: [field("id", "long")] },
    properties: { "delta.enableDeletionVectors": "true" },
  });
  await appendRows(table, `SELECT range AS id FROM range(${rows})`);
  await deleteRows(table, condition);
}
await tableWithout("mine/bronze/many", 10_000, "id % 3 = 0");
await tableWithout("mine/bronze/more", 900_000, "id % 3 > 0");
await createTable(runtime.lake.table("mine/bronze/nothing"), {
  schema: { type: "struct", fields: [field("x", "timestamp")] },
});

const TABLES = [
  "gold.daily",
  "silver.people",
  'bronze."odd ""table"".csv"',
  "bronze.many",
  "bronze.more",
  "bronze.nothing",
];
const digestOf = (table: string) =>
  `SELECT count(*) AS n, coalesce(bit_xor(hash(to_json(t)::VARCHAR)), 0)::VARCHAR AS digest FROM ${table} AS t`;

const explorer = await openExplorer(runtime);
const expected: Record<string, unknown> = {};
for (const table of TABLES)
  expected[table] = (await explorer.execute(digestOf(table))).rows.map((row) => row.map(String));
await explorer.close();

/** Digests of the tables of a file, as a DuckDB sees them that knows nothing of Ingot. */
async function digests(file: string, attachedAs?: string): Promise<Record<string, unknown>> {
  const instance = await DuckDBInstance.create(attachedAs === undefined ? file : ":memory:", {
    threads: "2",
  });
  try {
    const connection = await instance.connect();
    if (attachedAs !== undefined) await connection.run(`ATTACH '${file}' AS ${attachedAs} (READ_ONLY)`);
    const found: Record<string, unknown> = {};
    for (const table of TABLES) {
      const sql = digestOf(attachedAs === undefined ? table : `${attachedAs}.${table}`);
      found[table] = (await connection.runAndReadAll(sql)).getRows().map((row) => row.map(String));
    }
    return found;
  } finally {
    instance.closeSync();
  }
}

const noneLeft = () => expect(readdirSync(folder.path).filter((name) => name.includes(".tmp"))).toEqual([]);

describe("a DuckDB file of a lake", () => {
  test("shows what the lake holds, opened, attached under any name, and from elsewhere", async () => {
    const file = join(folder.path, "views.duckdb");
    const { tables } = await exportDuckDb(runtime, file, { pipeline: "mine" });
    expect(tables.map(({ name, as }) => [name, as])).toContainEqual(["bronze.more", "view"]);
    // Values are masked by copying: the file tells neither where they are nor the key of digests.
    expect(tables.find(({ name }) => name === "silver.people")?.as).toBe("table");
    expect(await digests(file)).toEqual(expected);
    expect(await digests(file, "elsewhere")).toEqual(expected);
    const moved = join(folder.path, "moved.duckdb");
    renameSync(file, moved);
    expect(await digests(moved)).toEqual(expected);
    noneLeft();

    // What deletion vectors delete is in the file, and not in a cache of ours: as rows, and as bitmaps.
    const instance = await DuckDBInstance.create(moved);
    const connection = await instance.connect();
    const views = (
      await connection.runAndReadAll("SELECT sql FROM duckdb_views() WHERE NOT internal")
    ).getRows();
    expect(JSON.stringify(views)).not.toMatch(/rows\.parquet|bits\.csv|read_csv/);
    const carried = await connection.runAndReadAll(
      "SELECT column_count FROM duckdb_tables() WHERE starts_with(table_name, 'deleted_rows_') ORDER BY 1",
    );
    expect(carried.getRows()).toEqual([[2n], [3n]]);
    instance.closeSync();
  });

  test("copied stands alone", async () => {
    const file = join(folder.path, "copy.duckdb");
    await exportDuckDb(runtime, file, { pipeline: "mine", copy: true });
    const [root, away] = [runtime.lakeRoot, `${runtime.lakeRoot}.away`];
    renameSync(root, away);
    try {
      expect(await digests(file)).toEqual(expected);
    } finally {
      renameSync(away, root);
    }
  });

  test("has no personal value and no key in it, unless asked for", async () => {
    const id = (
      JSON.parse(readFileSync(join(runtime.lakeRoot, "_ingot/lake.json"), "utf8")) as { id: string }
    ).id;
    for (const copy of [false, true]) {
      const file = join(folder.path, `masked-${copy}.duckdb`);
      await exportDuckDb(runtime, file, { pipeline: "mine", copy });
      const bytes = readFileSync(file).toString("latin1");
      expect([/a@secret|Ann Secret|555-secret/.test(bytes), bytes.includes(id)]).toEqual([false, false]);
    }
    const open = join(folder.path, "open.duckdb");
    const { tables } = await exportDuckDb(runtime, open, { pipeline: "mine", sensitive: true });
    expect(tables.find(({ name }) => name === "silver.people")?.as).toBe("view");
    const instance = await DuckDBInstance.create(open);
    const connection = await instance.connect();
    const rows = (await connection.runAndReadAll("SELECT mail FROM silver.people WHERE id = 1")).getRows();
    expect(rows).toEqual([["a@secret"]]);
    const versions = await connection.runAndReadAll(
      "SELECT version FROM ingot.versions WHERE layer = 'gold' AND name = 'daily'",
    );
    expect(versions.getRows()).toEqual([[2n]]);
    instance.closeSync();
  });

  test("of several pipelines has their names before the layers", async () => {
    const { tables } = await exportDuckDb(runtime, join(folder.path, "all.duckdb"));
    const names = tables.map(({ name }) => name);
    expect(names).toContain("mine_gold.daily");
    expect(names).toContain("other_gold.daily");
  });

  test("stays as it is where another is written over it without leave, or fails", async () => {
    const file = join(folder.path, "kept.duckdb");
    await exportDuckDb(runtime, file, { pipeline: "other" });
    const before = readFileSync(file);
    await expect(exportDuckDb(runtime, file, { pipeline: "mine" })).rejects.toMatchObject({
      code: "FILE_EXISTS",
    });
    const parquet = readdirSync(join(runtime.lakeRoot, "mine/bronze/many")).find((n) =>
      n.endsWith(".parquet"),
    );
    const lost = join(runtime.lakeRoot, "mine/bronze/many", parquet ?? "");
    renameSync(lost, `${lost}.away`);
    await expect(
      exportDuckDb(runtime, file, { pipeline: "mine", copy: true, force: true }),
    ).rejects.toThrow();
    renameSync(`${lost}.away`, lost);
    expect(readFileSync(file).equals(before)).toBe(true);
    await exportDuckDb(runtime, file, { pipeline: "mine", force: true });
    expect(readFileSync(file).equals(before)).toBe(false);
    noneLeft();
  });

  const python = join(homedir(), ".cache/ingot/peers/venv/bin/python");
  test.skipIf(!existsSync(python))("is read by DuckDB for Python", async () => {
    const file = join(folder.path, "python.duckdb");
    await exportDuckDb(runtime, file, { pipeline: "mine" });
    const script = `import duckdb, json, sys
c = duckdb.connect(sys.argv[1], read_only=True)
print(json.dumps([[str(v) for v in c.execute(q).fetchone()] for q in json.loads(sys.argv[2])]))`;
    const queries = JSON.stringify(TABLES.map(digestOf));
    const { stdout } = await promisify(execFile)(python, ["-c", script, file, queries]);
    expect(JSON.parse(stdout)).toEqual(TABLES.map((table) => (expected[table] as unknown[])[0]));
  });
});
