import { cp } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { checkTable } from "../../../lakehouse/delta/maintain/check.ts";
import { optimizeTable } from "../../../lakehouse/delta/maintain/optimize.ts";
import { vacuumTable } from "../../../lakehouse/delta/maintain/vacuum.ts";
import { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { codeOf } from "../../../lakehouse/errors.ts";
import { LocalStore } from "../../../lakehouse/store/local.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { useFolder } from "../../support/folder.ts";
import { referenceTables } from "../../support/reference-tables.ts";
import { rowsOf } from "./setup.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const reference = referenceTables();
const tables = (reference?.tables ?? []).filter(({ kind }) => !["must-error", "log-only"].includes(kind));

/** Tables that are not as they should be, and what is wrong with them. */
const AMISS: Readonly<Record<string, readonly string[]>> = {
  // Statistics of a column that no file has.
  "kernel-rs/parsed-stats": ["statistics-wrong"],
  // The checkpoint has more columns than the commits gave the table.
  // A least timestamp four milliseconds after the least one.
  "kernel-rs/parquet_row_group_skipping": ["checkpoint-disagrees"],
  "delta-rs/issue_1374": ["statistics-wrong"],
  // Vectors under names that the protocol does not know.
  "delta-spark/spark__table-with-dv-large": ["vector-unreadable"],
  "delta-spark/spark__table-with-dv-small": ["vector-unreadable"],
  "delta-spark/spark__partitioned-table-with-dv-large": ["vector-unreadable"],
};
const REFUSED = ["DELTA_UNSUPPORTED_FEATURE", "DELTA_MISSING_FILE"];

describe.skipIf(reference === undefined)("tables of other engines", () => {
  it.each(tables.map((table) => [table.id, table] as const))("%s", async (id, about) => {
    const path = reference?.pathOf(about) ?? "";
    const source = new DeltaTable(new LocalStore(path), duckdb);
    const { findings } = await checkTable(source, { deep: true });
    const errors = findings.filter((f) => f.severity === "error").map((f) => f.code);
    const unsupported = ["table-unreadable", "checkpoint-unreadable", "rows-unreadable"];
    const rows = await rowsOf(source).catch((error: unknown) => codeOf(error));
    if (Array.isArray(rows) || id in AMISS) expect([...new Set(errors)]).toEqual(AMISS[id] ?? []);
    else expect(unsupported).toEqual(expect.arrayContaining(errors));
    // What cannot be read or written is left alone.
    if (!Array.isArray(rows)) return expect(REFUSED).toContain(rows);
    const copy = new LocalStore(`${folder.path}/${id}`);
    await cp(path, copy.root, { recursive: true });
    const table = new DeltaTable(copy, duckdb);
    const optimized = await optimizeTable(table, { purge: true }).catch((error: unknown) => codeOf(error));
    if (typeof optimized === "string") return expect(REFUSED).toContain(optimized);
    expect(await rowsOf(new DeltaTable(copy, duckdb))).toEqual(rows);
    await vacuumTable(table, { retainHours: 0, force: true });
    expect(await rowsOf(new DeltaTable(copy, duckdb))).toEqual(rows);
    expect(await optimizeTable(table, { purge: true })).toMatchObject({ commits: 0 });
  });
});
