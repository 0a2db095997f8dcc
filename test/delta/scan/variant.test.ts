import { expect, test } from "vitest";
import { appendRows } from "../../../lakehouse/delta/change/append.ts";
import { newMetadata } from "../../../lakehouse/delta/metadata.ts";
import { explainReadError } from "../../../lakehouse/delta/scan/read-error.ts";
import { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { LocalStore } from "../../../lakehouse/store/local.ts";
import { writeDataFile } from "../../support/data-files.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { useFolder } from "../../support/folder.ts";
import { putCommit } from "../../support/raw-log.ts";
import { readRows } from "../../support/rows.ts";
import { struct } from "../change/setup.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

/** A table of variants whose only file holds `v` as this SQL gives it. */
async function tableWith(v: string): Promise<DeltaTable> {
  const store = new LocalStore(`${folder.path}/${crypto.randomUUID()}`);
  const add = await writeDataFile(duckdb, store.root, "a.parquet", `SELECT 1::BIGINT AS id, ${v} AS v`);
  const features = ["variantType"];
  await putCommit(store, 0, [
    {
      protocol: {
        minReaderVersion: 3,
        minWriterVersion: 7,
        readerFeatures: features,
        writerFeatures: features,
      },
    },
    { metaData: newMetadata(struct({ id: "long", v: "variant" }), 1) },
    { add },
  ]);
  return new DeltaTable(store, duckdb);
}

const PARTS = `'\\x0C\\x07'::BLOB AS "value", '\\x01\\x00\\x00'::BLOB AS "metadata"`;

test("plain variants are read as their two parts", async () => {
  const table = await tableWith(`(SELECT _v FROM (SELECT ${PARTS}) AS _v)`);
  const [row] = await readRows(duckdb, table);
  expect(row).toMatchObject({ id: 1n, v: { value: Buffer.from([12, 7]), metadata: Buffer.from([1, 0, 0]) } });
  await expect(appendRows(table, "SELECT 2 AS id")).rejects.toMatchObject({
    code: "DELTA_UNSUPPORTED_FEATURE",
    value: "variantType",
  });
});

test.each([
  ["shredded", `(SELECT _v FROM (SELECT ${PARTS}, 7 AS typed_value) AS _v)`],
  ["annotated", "7::VARIANT"],
])("%s ones are refused by name", async (_form, v) => {
  const table = await tableWith(v);
  const failed: unknown = await readRows(duckdb, table).catch((error: unknown) => error);
  expect(explainReadError(failed, "t")).toMatchObject({
    code: "DELTA_UNSUPPORTED_FEATURE",
    value: "variantType",
  });
});
