import { realpathSync } from "node:fs";
import { query } from "chdb";
import { expect, it } from "vitest";
import { field, type StructType } from "../../lakehouse/delta/schema.ts";
import { DeltaTable } from "../../lakehouse/delta/table.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { writeRows } from "../support/rows.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

/** Rows as delta-kernel-rs, inside ClickHouse, reads them. */
function kernelRows(path: string): unknown[] {
  // The embedded ClickHouse reads only below its working directory.
  process.chdir(realpathSync(folder.path));
  const text = query(
    `SELECT * FROM deltaLakeLocal('${path}') ORDER BY id SETTINGS output_format_json_quote_64bit_integers = 1, output_format_json_quote_decimals = 1, session_timezone = 'UTC'`,
    "JSONEachRow",
  );
  return text
    .trim()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

it("writes tables that delta-kernel-rs reads: every column type, checkpoint, overwrite, domain metadata", async () => {
  const path = `${folder.path}/all`;
  const table = new DeltaTable(new LocalStore(path), duckdb, { checkpointInterval: 3 });
  const schema: StructType = {
    type: "struct",
    fields: [
      field("id", "long", true, "the key"),
      field("t", "string"),
      field("i", "integer"),
      field("s", "short"),
      field("b", "boolean"),
      field("d", "double"),
      field("m", "decimal(18,4)"),
      field("day", "date"),
      field("at", "timestamp"),
    ],
  };
  const row = (id: number) =>
    `SELECT ${id} AS id, 'naïve ''${id}''' AS t, ${id} AS i, ${id} AS s, true AS b, 0.5 AS d, 12.3456 AS m, DATE '2026-02-28' AS day, TIMESTAMPTZ '2026-02-28 12:00:00.123456+00' AS at`;
  const domains = [{ domain: "ingot.source", configuration: "{}", removed: false }];
  for (let i = 0; i < 5; i++) await writeRows(duckdb, table, row(i), { schema, domains, overwrite: i === 2 });
  await writeRows(
    duckdb,
    table,
    "SELECT 9 AS id, NULL AS t, NULL AS i, NULL AS s, NULL AS b, NULL AS d, NULL AS m, NULL AS day, NULL AS at",
    { schema },
  );
  const expected = (id: number) => ({
    id: String(id),
    t: `naïve '${id}'`,
    i: id,
    s: id,
    b: true,
    d: 0.5,
    m: "12.3456",
    day: "2026-02-28",
    at: "2026-02-28 12:00:00.123456",
  });
  const nulls = { id: "9", t: null, i: null, s: null, b: null, d: null, m: null, day: null, at: null };
  expect(kernelRows(path)).toEqual([expected(2), expected(3), expected(4), nulls]);
});
