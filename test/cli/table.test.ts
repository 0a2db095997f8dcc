import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { appendRows } from "../../lakehouse/delta/change/append.ts";
import { deleteRows } from "../../lakehouse/delta/change/delete.ts";
import { createTable } from "../../lakehouse/delta/create.ts";
import { field } from "../../lakehouse/delta/schema.ts";
import { DeltaTable } from "../../lakehouse/delta/table.ts";
import { literal } from "../../lakehouse/duckdb/quote.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { ingotCli, writeProject } from "../support/cli.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

/** A table of three commits and a deletion vector. */
async function makeTable(path: string): Promise<DeltaTable> {
  const table = new DeltaTable(new LocalStore(path), duckdb);
  await createTable(table, {
    schema: { type: "struct", fields: [field("id", "long"), field("city", "string", true, "where it is")] },
    partitionBy: ["city"],
    properties: { "delta.enableDeletionVectors": "true", "delta.constraints.positive": "id > 0" },
    description: "Things",
  });
  await appendRows(table, "SELECT 1 AS id, 'Köln' AS city UNION ALL SELECT 2, 'Köln'");
  await appendRows(table, "SELECT 3 AS id, NULL AS city");
  await deleteRows(table, "id = 1");
  return table;
}

const project = join(folder.path, "project");
const things = join(folder.path, "some things");
beforeAll(async () => {
  await mkdir(project);
  await writeProject(project, "{ t: {} }");
  await makeTable(join(project, "lake/mine/silver/things"));
  await makeTable(things);
});

/** Runs a sub-command in the project's folder and expects it to end well. */
async function done(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await ingotCli(project, ["table", ...args, "--quiet"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

describe("ingot table", () => {
  it.each([
    "mine.silver.things",
    "silver.things",
    "mine/silver/things",
    "lake/mine/silver/things",
    "../some things",
  ])("finds %s", async (name) => {
    expect(await done("cat", name, "--where", "id > 2")).toBe('{"id":3,"city":null}\n');
  });

  it("prints rows of any version, all or some, in every format", async () => {
    expect((await done("cat", things, "--version", "1", "--format", "csv")).split("\n").sort()).toEqual([
      "",
      "1,Köln",
      "2,Köln",
      "id,city",
    ]);
    expect(await done("cat", things, "--columns", "city", "--where", "id = 2", "--json")).toBe(
      '[\n{"city":"Köln"}\n]\n',
    );
    expect(await done("cat", things, "--version", "2", "--limit", "1")).toMatch(/^\{.*\}\n$/);
  });

  it("prints columns, files and history", async () => {
    const schema = await done("schema", things);
    for (const part of ["Things", "where it is", "deletionVectors", "positive: id > 0", "version 3"]) {
      expect(schema).toContain(part);
    }
    const files = JSON.parse(await done("files", things, "--stats", "--json")) as object[];
    expect(files).toHaveLength(2);
    expect(files).toContainEqual(
      expect.objectContaining({
        rows: 2,
        deletedRows: 1,
        partition: { city: "Köln" },
        bounds: { id: { min: 1, max: 2 } },
      }),
    );
    expect(await done("files", things)).toContain("city=Köln");
    expect(JSON.parse(await done("history", things, "--json", "--limit", "2"))).toMatchObject([
      { version: 3, operation: "DELETE" },
      { version: 2, operation: "WRITE" },
    ]);
  });

  it("prints what changed", async () => {
    const changes = JSON.parse(await done("changes", things, "--from", "2", "--json")) as object[];
    expect(changes).toMatchObject([
      { id: 3, _change_type: "insert", _commit_version: 2 },
      { id: 1, _change_type: "delete", _commit_version: 3 },
    ]);
  });

  it("maintains a table, and says what it would do and did", async () => {
    const path = join(folder.path, "maintained");
    const { store } = await makeTable(path);
    expect(await done("optimize", path, "--purge")).toMatch(
      /^1 file .* became 1 file .*1 deletion vector worked in: version 4\n$/,
    );
    expect(await done("optimize", path)).toBe("Nothing to do.\n");
    expect(await done("vacuum", path)).toMatch(/^Nothing to delete; kept is what the last 168 hours need/);
    expect(await done("restore", path, "--version", "1", "--dry-run")).toMatch(
      /^Would go back to version 1:\n {2}1 file .* come back\n/,
    );
    expect(await done("restore", path, "--version", "1")).toMatch(/^Went back to version 1, as version 5:/);
    expect(await done("vacuum", path, "--retain-hours", "0", "--force", "--dry-run")).toMatch(
      /Would delete 3 files/,
    );
    const before = (await store.list("")).length;
    expect(await done("vacuum", path, "--retain-hours", "0", "--force")).toMatch(/^Deleted 3 files/);
    // Two notes in the log for three files.
    expect((await store.list("")).length).toBe(before - 3 + 2);
    expect(await done("check", path, "--deep")).toMatch(/Sound\n$/);
    const [file] = (await store.list("city=")).filter((o) => o.path.endsWith(".parquet"));
    await store.delete(file?.path ?? "");
    const damaged = await ingotCli(project, ["table", "check", path, "--json", "--quiet"]);
    expect(damaged.code).toBe(1);
    expect(JSON.parse(damaged.stdout)).toMatchObject({
      isSound: false,
      findings: [{ code: "file-missing" }],
    });
  });

  it("converts a folder", async () => {
    const path = join(folder.path, "raw");
    await mkdir(join(path, "day=2026-01-31"), { recursive: true });
    await duckdb.rows(
      `COPY (SELECT 1 AS id) TO ${literal(join(path, "day=2026-01-31/x.parquet"))} (FORMAT parquet)`,
    );
    await writeFile(join(path, "notes.txt"), "");
    const text = await done(
      "convert",
      path,
      "--partition-by",
      "day STRING",
      "--property",
      "delta.appendOnly=true",
    );
    expect(text).toMatch(
      /^1 file .*1 row, 2 columns, partitioned by day\) are a table now: version 0\n.*notes\.txt\n$/,
    );
    expect(await done("cat", path)).toBe('{"id":1,"day":"2026-01-31"}\n');
  });

  it.each<[string, string[], number, RegExp[]]>([
    [
      "an unknown name",
      ["cat", "mine.silver.thing"],
      1,
      [/mine\.silver\.thing/, /allowed mine\.silver\.things/],
    ],
    ["no table", ["schema", "nowhere"], 1, [/there is no table nowhere/]],
    ["a version that is no number", ["cat", "T", "--version", "x"], 2, [/'x' is invalid/, /whole number/]],
    ["a version that is not there", ["cat", "T", "--version", "9"], 1, [/value +9/, /allowed +0 to 3/]],
    ["a time that is none", ["cat", "T", "--timestamp", "soon"], 2, [/'soon' is invalid/, /2026-01-31/]],
    [
      "a time before the table",
      ["cat", "T", "--timestamp", "1999-01-01"],
      1,
      [/1999-01-01T00:00:00.000Z/, /version 0/],
    ],
    [
      "version and time",
      ["cat", "T", "--version", "1", "--timestamp", "2026-01-31"],
      2,
      [/cannot be used with/],
    ],
    ["an unknown column", ["cat", "T", "--columns", "nope"], 1, [/nope/, /id, city/]],
    ["a condition on nothing", ["files", "T", "--where", "nope = 1"], 1, [/nope/, /id, city/]],
    ["changes of the future", ["changes", "T", "--from", "9"], 1, [/9 to 3/, /up to 3/]],
    ["changes from nowhere", ["changes", "T"], 2, [/--from/]],
    ["a restore to nothing", ["restore", "T"], 2, [/--version <number> or --timestamp/]],
    ["a short retention", ["vacuum", "T", "--retain-hours", "1"], 1, [/1 hours/, /168 hours or more/]],
    ["a size that is none", ["optimize", "T", "--target-size", "big"], 2, [/'big' is invalid/, /128mb/]],
    ["an order by a partition", ["optimize", "T", "--z-order-by", "city"], 1, [/city/, /allowed id/]],
    ["a table to convert", ["convert", "T"], 1, [/is a Delta table already/]],
    ["a type that is none", ["convert", "T", "--partition-by", "day WHEN"], 2, [/day WHEN/, /timestamp_ntz/]],
  ])("refuses %s", async (_name, args, code, parts) => {
    const result = await ingotCli(project, [
      "table",
      ...args.map((arg) => (arg === "T" ? things : arg)),
      "--quiet",
    ]);
    for (const part of parts) expect(result.stderr).toMatch(part);
    expect(result).toMatchObject({ code, stdout: "" });
    expect(result.stderr.match(/^error: /gm)).toHaveLength(1);
  });

  it("shows examples for every sub-command", async () => {
    const names = [
      "cat",
      "history",
      "schema",
      "files",
      "changes",
      "check",
      "optimize",
      "vacuum",
      "restore",
      "convert",
    ];
    for (const name of names) expect(await done(name, "--help"), name).toMatch(/Examples:\n {2}ingot table /);
  });
});
