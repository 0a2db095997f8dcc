import { describe, expect, it } from "vitest";
import { appendRows } from "../../../lakehouse/delta/change/append.ts";
import { deleteRows } from "../../../lakehouse/delta/change/delete.ts";
import { overwriteRows } from "../../../lakehouse/delta/change/overwrite.ts";
import { checkTable } from "../../../lakehouse/delta/maintain/check.ts";
import { convertToDelta } from "../../../lakehouse/delta/maintain/convert.ts";
import { optimizeTable } from "../../../lakehouse/delta/maintain/optimize.ts";
import { restoreTable } from "../../../lakehouse/delta/maintain/restore.ts";
import { vacuumTable } from "../../../lakehouse/delta/maintain/vacuum.ts";
import { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { s3Available, useS3 } from "../../support/s3.ts";
import { makeTable, row, rowsOf } from "./setup.ts";

const duckdb = await useDuckDb();
const s3 = useS3();
const HOUR = 3600 * 1000;

describe.skipIf(!s3Available())("maintenance on S3", () => {
  it("optimises, restores, vacuums and checks a table with odd paths", async () => {
    let now = Date.now();
    const table = new DeltaTable(s3.store(), duckdb, { now: () => now });
    await makeTable(table, { partitioned: true, vectors: true, feed: true });
    for (let k = 0; k < 3; k++)
      await appendRows(
        table,
        [row(k, "ä/=% +"), row(k + 50, "ä/=% +"), row(k + 10, "b")].join(" UNION ALL "),
      );
    await deleteRows(table, "k = 1");
    const rows = await rowsOf(table);
    expect(await optimizeTable(table, { zOrderBy: ["k"] })).toMatchObject({ addedFiles: 2, removedFiles: 6 });
    expect(await rowsOf(table)).toEqual(rows);
    await overwriteRows(table, row(99));
    expect(await restoreTable(table, { version: 4 })).toMatchObject({ addedFiles: 6, removedFiles: 1 });
    expect(await rowsOf(table)).toEqual(rows);
    now += 200 * HOUR;
    expect((await vacuumTable(table)).files.length).toBeGreaterThanOrEqual(3);
    expect(await rowsOf(new DeltaTable(table.store, duckdb))).toEqual(rows);
    expect(await checkTable(table, { deep: true })).toMatchObject({ isSound: true, findings: [] });
    await expect(restoreTable(table, { version: 5 })).rejects.toMatchObject({ code: "DELTA_FILES_VACUUMED" });
  });

  it("converts a folder", async () => {
    const source = await makeTable(new DeltaTable(s3.store(), duckdb));
    await appendRows(source, row(1));
    const [file] = (await source.existingSnapshot()).files.keys();
    const table = new DeltaTable(s3.store(), duckdb);
    await table.store.put(
      "day=2026-01-31/a b.parquet",
      (await source.store.get(file ?? "")) ?? new Uint8Array(),
    );
    expect(await convertToDelta(table)).toMatchObject({ files: 1, rows: 1, partitionColumns: ["day"] });
    expect(await rowsOf(table)).toEqual(['{"k":1,"v":1,"s":"s1","p":"a","day":"2026-01-31"}']);
  });
});
