/** Rows that break a contract where there is no quarantine for them: the run fails, and says by which row. */
import { typedSql } from "../../lakehouse/delta/schema.ts";
import { identifier, literal } from "../../lakehouse/duckdb/quote.ts";
import { messageOf, TerminalError } from "../../lakehouse/errors.ts";
import { contractSchema, modelError, refuseNulls } from "./contract.ts";
import { type RowRules, rowRules } from "./quarantine/contract-rules.ts";
import type { ModelRun } from "./run.ts";

const MARK = "ingot: a row breaks its contract";

/** Refuses a relation, in the columns of the contract, that holds a row that breaks it. */
export async function refuseBroken(run: ModelRun, relation: string): Promise<void> {
  await refuseNulls(run, relation);
  const rules = await rulesOf(run, `SELECT * FROM ${relation}`);
  const broken = await exampleOf(run, relation, rules);
  if (broken) throw broken;
}

/**
 * Runs `work` with a query that fails at the first row that breaks the contract, so that rows are gone through once;
 * what it failed by is told with that row.
 */
export async function refusingBroken<T>(
  run: ModelRun,
  sql: string,
  work: (guarded: string) => Promise<T>,
): Promise<T> {
  const typed = typedSql(sql, contractSchema(run.model.contract).fields);
  const rules = await rulesOf(run, typed);
  if (rules.ok === "true") return work(sql);
  try {
    return await work(
      `SELECT * FROM (${typed}) WHERE CASE WHEN ${rules.ok} THEN true ELSE error(${literal(MARK)}) END`,
    );
  } catch (error) {
    if (!messageOf(error).includes(MARK)) throw error;
    throw (await exampleOf(run, `(${typed})`, rules)) ?? error;
  }
}

/** Nulls are counted as rows are written, which is enough where they fail the run. */
const rulesOf = (run: ModelRun, sql: string) =>
  modelError(run.model, () =>
    rowRules(
      run.session,
      run.model,
      sql,
      ({ name, column }) => run.quarantine !== undefined || name !== `${column}.required`,
    ),
  );

/** The error that shows a row which breaks the contract; undefined where none does. */
async function exampleOf({ session, model }: ModelRun, relation: string, rules: RowRules) {
  // An error is read by more people than a table.
  const shown = Object.entries(model.contract.columns).filter(
    ([, { sensitivity }]) => sensitivity === undefined,
  );
  const members = shown.map(([name]) => `${literal(name)}, ${identifier(name)}`);
  const [found] = await modelError(model, () =>
    session.rows(
      `SELECT json_object(${members.join(", ")})::VARCHAR AS row, to_json(${rules.broken})::VARCHAR AS rules FROM ${relation} WHERE NOT ${rules.ok} LIMIT 1`,
    ),
  );
  if (found === undefined) return undefined;
  const names: readonly string[] = JSON.parse(String(found.rules));
  const messages = model.rules.rules.flatMap((rule) =>
    names.includes(rule.name) && rule.message !== undefined ? [rule.message] : [],
  );
  return new TerminalError(`model ${model.name} gives a row that breaks its contract: ${names.join(", ")}`, {
    code: "CONTRACT_BROKEN",
    value: String(found.row).slice(0, 1000),
    ...(messages.length === 0 ? {} : { allowed: messages.join("; ") }),
    next: `Correct ${model.file}, or the contract "${model.contract.name}". Nothing was committed.`,
  });
}
