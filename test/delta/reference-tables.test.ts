/** The rows of tables that other engines wrote, at every version whose rows are known. */
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import { DeltaTable } from "../../lakehouse/delta/table.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { type ReferenceTable, referenceTables } from "../support/reference-tables.ts";
import { expectedRows, rowTexts } from "./reference-rows.ts";

const duckdb = await useDuckDb();
const reference = referenceTables();
const pathOf = (table: ReferenceTable) => reference?.pathOf(table) ?? "";
const open = (table: ReferenceTable) => new DeltaTable(new LocalStore(pathOf(table)), duckdb);
const named = (tables: readonly ReferenceTable[]) => tables.map((table) => [table.id, table] as const);

/** Features of readers that the kernel refuses. */
const REFUSED = /catalogOwned|catalogManaged/i;
const isRefused = (table: ReferenceTable) => table.readerFeatures.some((feature) => REFUSED.test(feature));
/** Their deletion vectors have names of Spark's own tests, which no other reader finds. */
const isUnreachable = (table: ReferenceTable) => /not protocol-conformant/.test(table.note ?? "");
/** Of these only the number of rows is known: the other engine gave none. */
const COUNTED = new Set(["delta-golden/table-with-icebegCompatV2Enabled"]);
const tables = reference?.tables ?? [];
const withRows = tables.filter(
  (table) => table.kind !== "must-error" && table.kind !== "log-only" && !isRefused(table),
);
const readable = withRows.filter((table) => !isUnreachable(table));

const rowsOf = async ({ store }: DeltaTable, snapshot: Snapshot) =>
  duckdb.rows(await scanSql(store, scannable(snapshot)));

describe.runIf(reference)("reference tables", () => {
  it.each(named(readable))("%s: rows of the newest version", async (_id, table) => {
    const delta = open(table);
    const rows = await rowsOf(delta, await delta.existingSnapshot());
    const expected = await expectedRows(duckdb, dirname(pathOf(table)));
    if (table.rows !== undefined && table.rows !== null) expect(rows.length).toBe(table.rows);
    if (expected === undefined || COUNTED.has(table.id)) return;
    expect(rowTexts(rows, expected.isExact)).toEqual(rowTexts(expected.rows, expected.isExact));
  });

  it.each(named(readable))("%s: number of rows of each version", async (_id, table) => {
    const delta = open(table);
    for (const [version, rows] of Object.entries(table.rowsPerVersion)) {
      if (rows === null) continue;
      const snapshot = await delta.existingSnapshot(Number(version));
      const sql = await scanSql(delta.store, scannable(snapshot));
      const [counted] = await duckdb.rows(`SELECT count(*) AS n FROM (${sql})`);
      expect([version, Number(counted?.n)]).toEqual([version, rows]);
    }
  });

  it.each(named(withRows.filter(isUnreachable)))("%s: a lost deletion vector", async (_id, table) => {
    const delta = open(table);
    const snapshot = await delta.existingSnapshot();
    await expect(rowsOf(delta, snapshot)).rejects.toMatchObject({ code: "DELTA_MISSING_FILE" });
  });

  it.each(named(tables.filter((t) => t.kind === "must-error" || isRefused(t))))(
    "%s: refused",
    async (_id, table) => {
      const refusal = {
        code: expect.stringMatching(/^DELTA_/),
        message: expect.stringContaining(pathOf(table)),
      };
      await expect(open(table).existingSnapshot()).rejects.toMatchObject(refusal);
    },
  );
});
