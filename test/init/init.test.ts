import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { type DraftOptions, draftProject } from "../../jobs/init/draft.ts";
import { placeFiles } from "../../jobs/init/place-files.ts";
import { defaults } from "../../jobs/init/questions.ts";
import { loadConfig } from "../../jobs/load-config.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { load, sync } from "../../layers/bronze/ingest.ts";
import { build } from "../../layers/models/build.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { ingestContext, newLake, queryTable } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";
import { ODD_DATABASE } from "./odd-database.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();
const ROOT = new URL("../..", import.meta.url).pathname;

/** Writes a project for the database into a folder of its own. */
async function write(options: DraftOptions): Promise<string> {
  const path = join(folder.path, crypto.randomUUID());
  const { files } = await draftProject(database.url, { name: "odd", ...options }, defaults);
  await placeFiles(path, files, false);
  return path;
}

/** Type-checks all files of a folder as the project's own are. */
async function typeCheck(path: string): Promise<string> {
  const config = {
    extends: join(ROOT, "tsconfig.json"),
    compilerOptions: {
      noEmit: true,
      rootDir: "/",
      typeRoots: [join(ROOT, "node_modules/@types")],
      paths: { ingot: [join(ROOT, "index.ts")] },
    },
    include: [path],
  };
  await writeFile(join(path, "package.json"), JSON.stringify({ type: "module" }));
  await writeFile(join(path, "tsconfig.json"), JSON.stringify(config));
  const tsc = join(ROOT, "node_modules/.bin/tsc");
  const done = await promisify(execFile)(tsc, ["-p", path]).catch((error: { stdout: string }) => error);
  return done.stdout;
}

it("what it writes for an odd database type-checks, loads, builds and syncs as it is", async () => {
  await database.query(ODD_DATABASE);
  const path = await write({ changes: "query" });
  expect(await typeCheck(path)).toBe("");
  const { config } = await loadConfig(join(path, "ingot.config.ts"));
  const [pipeline] = config.pipelines;
  if (pipeline === undefined) throw new Error("no pipeline");

  const lake = newLake(folder.path, duckdb);
  const context = ingestContext(lake, database.url);
  await load(context, pipeline);
  const building = { lake, concurrency: 2, onProgress: ignoreProgress };
  await build(building, pipeline);
  expect(
    await queryTable(
      lake,
      "odd/silver/orders",
      "SELECT id, total, status, small, doubled FROM t WHERE id = 2",
    ),
  ).toEqual([{ id: 2n, total: "3.00", status: 'ok, "so"', small: 1, doubled: 4n }]);
  expect(await queryTable(lake, "odd/silver/validity", "SELECT * FROM t ORDER BY id")).toEqual([
    { id: 1, until: null, amount: null },
    { id: 2, until: "2026-01-01", amount: "1.00" },
  ]);
  await database.query(
    "DELETE FROM sales.orders WHERE line = 2; INSERT INTO sales.orders VALUES (2, 9, 'new')",
  );
  await sync(context, pipeline);
  await build(building, pipeline);
  expect(await queryTable(lake, "odd/silver/sales_orders", "SELECT * FROM t ORDER BY id")).toEqual([
    { id: 1, line: 1, what: "a" },
    { id: 2, line: 9, what: "new" },
  ]);
});
