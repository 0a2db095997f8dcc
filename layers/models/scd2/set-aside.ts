/**
 * Changes whose rows break the contract. Each goes to quarantine under its place in bronze, for good, and the history is
 * as if the row had gone with it: the version before ends, and what comes after begins anew. Changes that a later one of
 * their transaction undoes were never seen, and are not judged.
 */
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import type { DuckDb } from "../../../lakehouse/duckdb/duckdb.ts";
import { identifiers } from "../../../lakehouse/duckdb/quote.ts";
import { codeOf } from "../../../lakehouse/errors.ts";
import type { Rule } from "../../contract/rule.ts";
import { META, META_COLUMNS } from "../../definition/bronze-columns.ts";
import { sqlColumns, VALID_FROM, VALID_TO } from "../../definition/model-columns.ts";
import { PLACE, placedSql } from "../placed-query.ts";
import type { Model } from "../planned-model.ts";
import { findBroken } from "../quarantine/hold.ts";
import { placeSql } from "../quarantine/hold-appended.ts";
import { isUncast, lenientSql, UNCAST } from "../quarantine/lenient.ts";
import type { ModelRun } from "../run.ts";
import { columnNames, parseQuery, within } from "../syntax.ts";
import { historyKey } from "./check-history.ts";
import { CHANGES } from "./placed-changes.ts";

/** Rows in the columns that the SQL gives, with `PLACE`. */
export interface SetAside {
  /** Query of those that keep the contract; the others are in `HELD`. */
  readonly rows: string;
  readonly held: number;
}

/** Does something with all changes; where one breaks the contract, once more with those that keep it. */
export async function settingAside<T>(
  run: ModelRun,
  source: Snapshot,
  work: (aside: SetAside | undefined) => Promise<T>,
): Promise<{ readonly made: T; readonly held: number }> {
  try {
    return { made: await work(undefined), held: 0 };
  } catch (error) {
    if (!isBroken(error)) throw error;
    const aside = await setAside(run, source);
    // It is no row of bronze that breaks it; but what nobody saw may be what cannot be cast.
    if (aside.held === 0 && !isUncast(error)) throw error;
    return { made: await work(aside), held: aside.held };
  }
}

const isBroken = (error: unknown): boolean =>
  ["CONTRACT_BROKEN", "CONTRACT_NULL"].includes(codeOf(error) ?? "") || isUncast(error);

async function setAside(run: ModelRun, source: Snapshot): Promise<SetAside> {
  const { session, target } = run;
  const model = await withoutTimes(target.duckdb, run.model);
  const [, name = ""] = (model.references[0] ?? "").split(".");
  await session.view("bronze", name, seenSql(model, source));
  const sql = (await placedSql(target.duckdb, model)) ?? model.sql;
  const lenient = await lenientSql(target.duckdb, { ...model, sql }, [PLACE]);
  const { ok, held } = await findBroken({ ...run, model }, `(${lenient})`);
  return { rows: `SELECT * EXCLUDE (${UNCAST}) FROM (${lenient}) WHERE ${ok}`, held };
}

/** The model without the columns that Ingot adds, and without what the contract asks of them. */
async function withoutTimes(duckdb: DuckDb, model: Model): Promise<Model> {
  const { rules, residual, ...compiled } = model.rules;
  const ofRows: Rule[] = [];
  for (const rule of rules) if (!(await readsTimes(duckdb, rule))) ofRows.push(rule);
  return {
    ...model,
    contract: { ...model.contract, key: historyKey(model), columns: sqlColumns(model) },
    rules: { ...compiled, rules: ofRows, residual: residual.filter(({ column }) => !isTime(column)) },
  };
}

const isTime = (name: string) => [VALID_FROM, VALID_TO].some((time) => time === name.toLowerCase());

/** Whether a rule is about when a version began or ended: a check of the table says so in its SQL alone. */
async function readsTimes(duckdb: DuckDb, { column, sql }: Rule): Promise<boolean> {
  if (column !== undefined) return isTime(column);
  const query = await parseQuery(duckdb, `SELECT 1 WHERE (${sql}\n)`);
  return [...within(query)].some((node) => isTime(columnNames(node)?.at(-1) ?? ""));
}

/** What the model's SQL sees of the changes that others have seen, with what names them in quarantine. */
function seenSql(model: Model, source: Snapshot): string {
  const keys = historyKey(model).map((_, i) => `${PLACE}.k${i}`);
  const transaction = [...keys, `${PLACE}.lsn`, `${PLACE}.seq > 0`].join(", ");
  const last = `SELECT *, ${placeSql(source)} AS named FROM main.${CHANGES} WHERE ${META.operation} <> 't'
    QUALIFY row_number() OVER (PARTITION BY ${transaction} ORDER BY ${PLACE}.seq DESC) = 1`;
  const place = `struct_insert(${PLACE}, raw := named.raw, name := named.name) AS ${PLACE}`;
  return `SELECT * EXCLUDE (${identifiers([...META_COLUMNS, PLACE, "named"])}), ${place}
    FROM (${last}) WHERE ${META.operation} <> 'd'`;
}
