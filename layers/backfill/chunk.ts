/** One chunk: what the model's SQL gives for a range, compared with the table's rows of it, and the difference committed. */
import { selectFiles } from "../../lakehouse/delta/change/select-files.ts";
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import { type StructField, typedSql } from "../../lakehouse/delta/schema.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import { identifiers } from "../../lakehouse/duckdb/quote.ts";
import { inputFilters } from "../models/aggregate/input-filters.ts";
import { Columns, leavesOf } from "../models/aggregate/join-tree.ts";
import { checkColumns, contractSchema, rowsOfModel } from "../models/contract.ts";
import { viewInputs } from "../models/inputs.ts";
import { refuseRepeatedKeys } from "../models/keys.ts";
import { refuseBroken } from "../models/refuse-broken.ts";
import type { ModelRun } from "../models/run.ts";
import { KEYS, RESULT } from "./chunk-relations.ts";
import { makeMerged } from "./merge-chunk.ts";
import { type Interval, rangeSql, storedRangeSql, valueSql } from "./range.ts";

/**
 * Makes `RESULT`, the rows of the range as they are to be, and `KEYS`: theirs, and those of the rows that the table has
 * in it now. A row that moves into the range or out of it is taken with its key. Gives what is to be written before the
 * commit, if anything is.
 */
export async function makeChunk(
  run: ModelRun,
  base: Snapshot,
  field: StructField,
  range: Interval,
): Promise<(() => Promise<void>) | undefined> {
  if (run.model.kind === "merge")
    return makeMerged(run, field, range, await formerKeys(run, base, field, range));
  const { session, model } = run;
  await viewInputs(run);
  await checkColumns(run);
  const key = identifiers(model.contract.key);
  const former = await formerKeys(run, base, field, range);
  if (model.contract.key.includes(field.name)) {
    const filters = await rangeFilters(run, field, range);
    if (filters.size > 0) await viewInputs(run, filters);
    await rowsOfModel(run, `SELECT * FROM (${model.sql}\n) WHERE ${rangeSql(field, range)}`, RESULT);
    await session.run(`CREATE TABLE ${KEYS} AS SELECT ${key} FROM ${RESULT} UNION ${former}`);
  } else {
    await rowsOfModel(run, model.sql, "fresh");
    await session.run(
      `CREATE TABLE ${KEYS} AS SELECT ${key} FROM fresh WHERE ${storedRangeSql(field, range)} UNION ${former};
       CREATE TABLE ${RESULT} AS FROM fresh SEMI JOIN ${KEYS} USING (${key}); DROP TABLE fresh`,
    );
  }
  await refuseBroken(run, RESULT);
  await refuseRepeatedKeys(run, RESULT);
  return undefined;
}

/** Conditions over inputs, by reference, that all rows of the range's groups fulfil. The inputs must be there as views. */
export async function rangeFilters(
  run: ModelRun,
  field: StructField,
  { from, to }: Interval,
): Promise<ReadonlyMap<string, string>> {
  const { model, inputs } = run;
  if (model.groups === undefined || !model.contract.key.includes(field.name)) return new Map();
  const names = [...inputs].map(([name, input]) => [name, input.schema.fields.map((f) => f.name)] as const);
  const columns = new Columns(leavesOf(model.groups.tree), new Map(names));
  // Conditions by range take the bounds in; the result is held against the range itself.
  const bounds = { low: valueSql(field, from), high: valueSql(field, to) };
  const values = { field, hasNull: false, range: bounds, values: undefined };
  return inputFilters(run, model.groups, columns, [values]);
}

/** SQL of the keys that the table has in the range. */
async function formerKeys(
  { model, target }: ModelRun,
  base: Snapshot,
  field: StructField,
  range: Interval,
): Promise<string> {
  const where = storedRangeSql(field, range);
  const { files, whole } = await selectFiles(target.duckdb, base, where);
  const rows = await scanSql(target.store, { ...scannable(base), files: [...files, ...whole] });
  return `SELECT ${identifiers(model.contract.key)} FROM (${typedSql(rows, contractSchema(model.contract).fields)}) WHERE ${where}`;
}
