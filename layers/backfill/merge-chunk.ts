/** A chunk of a model that keeps current state: of all keys that the range concerns the newest row of bronze, shaped anew. */
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import { duckdbType, type StructField } from "../../lakehouse/delta/schema.ts";
import { identifier, identifiers } from "../../lakehouse/duckdb/quote.ts";
import { META, META_COLUMNS } from "../definition/bronze-columns.ts";
import { newestSql } from "../definition/bronze-state.ts";
import { checkColumns, contractSchema, modelError } from "../models/contract.ts";
import { refuseRepeatedKeys } from "../models/keys.ts";
import { holdLater } from "../models/quarantine/hold.ts";
import { lenientSql } from "../models/quarantine/lenient.ts";
import type { ModelRun } from "../models/run.ts";
import { KEYS, RESULT } from "./chunk-relations.ts";
import { type Interval, storedRangeSql } from "./range.ts";

/** As `makeChunk`. `former`: SQL of the keys that the table has in the range. Gives what sets rows aside that break the contract. */
export async function makeMerged(
  run: ModelRun,
  field: StructField,
  range: Interval,
  former: string,
): Promise<() => Promise<void>> {
  const { session, model, target } = run;
  const { key } = model.contract;
  const rows = await bronzeRows(run);
  await viewNewest(run, "VIEW", newestSql(rows, key));
  await checkColumns(run);
  const lenient = await lenientSql(target.duckdb, model);
  await modelError(model, () =>
    session.run(
      `CREATE TABLE ${KEYS} AS SELECT ${identifiers(key)} FROM (${lenient}) WHERE ${storedRangeSql(field, range)} UNION ${former}`,
    ),
  );
  await session.run("DROP VIEW changes");
  await viewNewest(run, "TABLE", newestSql(historyOfKeys(run, rows), key));
  await modelError(model, () =>
    session.run(`CREATE TABLE candidates AS FROM (${lenient}) SEMI JOIN ${KEYS} USING (${identifiers(key)})`),
  );
  await refuseRepeatedKeys(run, "candidates");
  const { write } = await holdLater(run, "candidates", RESULT, { changes: "changes", keys: KEYS });
  return write;
}

async function bronzeRows({ inputs, tables, model }: ModelRun): Promise<string> {
  const [reference = ""] = model.references;
  const [source, table] = [inputs.get(reference), tables.get(reference)];
  if (source === undefined || table === undefined) throw new RangeError(`${reference} is not there`);
  return scanSql(table.store, scannable(source));
}

/** All changes of the keys, and truncations, which are of every key. */
function historyOfKeys({ model }: ModelRun, rows: string): string {
  const fields = contractSchema(model.contract).fields.filter((f) => model.contract.key.includes(f.name));
  const same = fields.map(
    ({ name, type }) => `k.${identifier(name)} = TRY_CAST(b.${identifier(name)} AS ${duckdbType(type)})`,
  );
  return `SELECT b.* FROM (${rows}) AS b
    WHERE b.${META.operation} = 't' OR EXISTS (SELECT 1 FROM ${KEYS} AS k WHERE ${same.join(" AND ")})`;
}

/** `changes`: newest row by key. `bronze.x`: what the model's SQL sees of it. */
async function viewNewest({ session, model }: ModelRun, kind: "VIEW" | "TABLE", sql: string): Promise<void> {
  await session.run(`CREATE ${kind} changes AS ${sql}`);
  const [, name = ""] = (model.references[0] ?? "").split(".");
  await session.view(
    "bronze",
    name,
    `SELECT * EXCLUDE (${identifiers(META_COLUMNS)}) FROM main.changes WHERE ${META.operation} <> 'd'`,
  );
}
