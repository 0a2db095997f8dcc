/** Statistics that are only there as a struct come back digit by digit. */
import { expect, it } from "vitest";
import { writeCheckpoint } from "../../../lakehouse/delta/checkpoint/write.ts";
import { loadSnapshot } from "../../../lakehouse/delta/load.ts";
import { checkpointPath, commitPath } from "../../../lakehouse/delta/log.ts";
import { LocalStore } from "../../../lakehouse/store/local.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { useFolder } from "../../support/folder.ts";
import { putCommit, rawAdd, rawTable } from "../../support/raw-log.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

/** The text that a checkpoint gives whose `stats_parsed` is this struct. */
async function statsOf(struct: string): Promise<string | undefined> {
  const store = new LocalStore(`${folder.path}/${crypto.randomUUID()}`);
  await putCommit(store, 0, [...rawTable(), rawAdd("f")]);
  const before = await loadSnapshot(store, duckdb);
  if (before) await writeCheckpoint(store, duckdb, before, 0);
  const checkpoint = `${store.root}/${checkpointPath(0)}`;
  const add = `CASE WHEN "add" IS NOT NULL THEN struct_insert("add", stats_parsed := ${struct}) END`;
  await duckdb.rows(
    `COPY (SELECT * REPLACE (${add} AS "add") FROM read_parquet('${checkpoint}')) TO '${checkpoint}.new' (FORMAT parquet)`,
  );
  await store.putFile(checkpointPath(0), `${checkpoint}.new`);
  await store.delete(commitPath(0));
  return (await loadSnapshot(store, duckdb))?.files.get("f")?.stats;
}

it.each([
  ["9007199254740993::BIGINT", "9007199254740993"],
  ["(-9223372036854775808)::BIGINT", "-9223372036854775808"],
  ["12345678901234567890.120::DECIMAL(38,3)", "12345678901234567890.120"],
  ["-0.05::DECIMAL(5,2)", "-0.05"],
  ["1e300::DOUBLE", "1e+300"],
  ["0.1::DOUBLE", "0.1"],
  ["true", "true"],
  ["'a\"b\\ü\n'::VARCHAR", '"a\\"b\\\\ü\\n"'],
  ["DATE '0001-02-03'", '"0001-02-03"'],
  ["TIMESTAMP '1969-12-31 23:59:59.999999'", '"1969-12-31T23:59:59.999999"'],
  ["TIMESTAMPTZ '2026-02-28 12:00:00.123456+02'", '"2026-02-28T10:00:00.123456Z"'],
  ['struct_pack("in\'ner ""x""" := 1::BIGINT)', '{"in\'ner \\"x\\"":1}'],
])("%s is %s", async (value, text) => {
  const stats = await statsOf(
    `struct_pack("numRecords" := 1::BIGINT, "minValues" := struct_pack("c" := ${value}))`,
  );
  expect(stats).toBe(`{"numRecords":1,"minValues":{"c":${text}}}`);
});

it.each([
  ["'inf'::DOUBLE"],
  ["'nan'::FLOAT"],
  ["NULL::BIGINT"],
  ["NULL::STRUCT(x BIGINT)"],
  ["[1, 2]"],
  ["'x'::BLOB"],
])("%s has no text", async (value) => {
  expect(await statsOf(`struct_pack("minValues" := struct_pack("c" := ${value}))`)).toBe('{"minValues":{}}');
});

it("no statistics are none", async () => {
  expect(await statsOf("NULL::STRUCT(numRecords BIGINT)")).toBeUndefined();
});
