/** What a model's rows are held against, in the session that has them. */
import type { Session } from "../../../lakehouse/duckdb/duckdb.ts";
import { brokenSql, okSql } from "../../contract/check-sql.ts";
import { residualVerdicts } from "../../contract/residual.ts";
import type { Rule } from "../../contract/rule.ts";
import type { Model } from "../planned-model.ts";

export interface RowRules {
  /** SQL over a row: TRUE where it keeps all rules. */
  readonly ok: string;
  /** SQL over a row: VARCHAR[] of the rules that it breaks. */
  readonly broken: string;
}

/**
 * The rules for the rows of `sql`; those that only JavaScript can decide are decided here, for these rows. `asked`:
 * leaves rules out that others see to.
 */
export async function rowRules(
  session: Session,
  { contract, rules: compiled }: Model,
  sql: string,
  asked: (rule: Rule) => boolean = () => true,
): Promise<RowRules> {
  const verdicts =
    compiled.residual.length === 0 ? [] : await residualVerdicts(session, contract, sql, compiled);
  const rules = { rules: [...compiled.rules, ...verdicts].filter(asked) };
  return { ok: okSql(rules), broken: brokenSql(rules) };
}
