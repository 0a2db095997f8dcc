/** Runs the checks that are left for JavaScript, once for each value of a column that reaches them. */
import type { Session } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier, literal } from "../../lakehouse/duckdb/quote.ts";
import { messageOf, TerminalError } from "../../lakehouse/errors.ts";
import type { DeltaType } from "../../schemas/delta-type.ts";
import type { AnyContract } from "../../schemas/table.ts";
import { compileContract } from "./compile.ts";
import { contractValue } from "./contract-value.ts";
import type { CompiledContract, ResidualRule, Rule } from "./rule.ts";

/** Values that break a rule are remembered in the session in parts of this many. */
const BATCH = 1000;

/** Stands before texts on their way: the binding drops a byte order mark that a text begins with. */
const MARK = ".";
const MARK_SQL = literal(MARK);

/**
 * The verdicts of JavaScript on the rows of `sql`, as rules in SQL: they hold for these rows, in this session, and
 * stand beside those of the compiled contract. Memory grows with the different values that break one, not with the
 * rows.
 *
 * @throws TerminalError CONTRACT_CHECK_FAILED where a check itself throws.
 */
export async function residualVerdicts(
  session: Session,
  contract: AnyContract,
  sql: string,
  compiled: CompiledContract = compileContract(contract),
): Promise<Rule[]> {
  const verdicts: Rule[] = [];
  for (const column of new Set(compiled.residual.map((rule) => rule.column))) {
    const rules = compiled.residual.filter((rule) => rule.column === column);
    const { type = "string", sensitivity } = contract.columns[column] ?? {};
    const isShown = sensitivity === undefined;
    const broken = await brokenValues(session, {
      contract: compiled.name,
      column,
      type,
      isShown,
      rules,
      sql,
    });
    for (const [i, rule] of rules.entries()) {
      const table = broken[i];
      if (table === undefined) continue;
      const missing = `${valueText(column, type)} NOT IN (SELECT value FROM ${table})`;
      verdicts.push({ name: rule.name, column, sql: missing });
    }
  }
  return verdicts;
}

interface Judged {
  readonly contract: string;
  readonly column: string;
  readonly type: DeltaType;
  /** Personal values are not shown. */
  readonly isShown: boolean;
  readonly rules: readonly ResidualRule[];
  readonly sql: string;
}

/** By rule, the table with the texts of the values that break it; undefined where none does. */
async function brokenValues(session: Session, judged: Judged): Promise<(string | undefined)[]> {
  const { column, type, rules, sql } = judged;
  const name = identifier(column);
  const where = rules.every((rule) => rule.where !== undefined)
    ? `(${rules.map((rule) => rule.where).join(" OR ")})`
    : "true";
  const { chunks } = await session.stream(
    `SELECT DISTINCT ${name}, ${MARK_SQL} || ${valueText(column, type)} FROM (${sql}\n)
     WHERE ${name} IS NOT NULL AND ${where}`,
  );
  const texts: string[][] = rules.map(() => []);
  const tables: (string | undefined)[] = rules.map(() => undefined);
  for await (const rows of chunks) {
    for (const [value, marked] of rows) {
      const text = String(marked).slice(MARK.length);
      const seen = type === "string" ? text : contractValue(value, type);
      for (const [i, rule] of rules.entries()) if (!isKept(judged, rule, seen)) texts[i]?.push(text);
    }
  }
  for (const [i, broken] of texts.entries()) {
    if (broken.length > 0) tables[i] = await remember(session, `_ingot_broken_${column}_${i}`, broken);
  }
  return tables;
}

async function remember(session: Session, name: string, texts: readonly string[]): Promise<string> {
  const table = identifier(name);
  await session.run(`CREATE OR REPLACE TEMP TABLE ${table} (value VARCHAR)`);
  for (let i = 0; i < texts.length; i += BATCH) {
    const batch = JSON.stringify(texts.slice(i, i + BATCH));
    await session.rows(`INSERT INTO ${table} SELECT unnest(from_json($1, '["VARCHAR"]'))`, [batch]);
  }
  return table;
}

function isKept({ contract, column, isShown }: Judged, rule: ResidualRule, value: unknown): boolean {
  try {
    return rule.keeps(value);
  } catch (cause) {
    // The words of an error may quote the value.
    const why = isShown ? `: ${messageOf(cause)}` : "";
    throw new TerminalError(`the check ${rule.name} of contract "${contract}" failed${why}`, {
      code: "CONTRACT_CHECK_FAILED",
      value: `a value of ${column}${isShown ? `: ${String(value).slice(0, 200)}` : ""}`,
      allowed: "a function that says true or false of every value of the column",
      next: `Correct the check of ${column} in the contract.`,
      ...(isShown ? { cause } : {}),
    });
  }
}

/** A text of the column's value; different values have different ones. */
function valueText(column: string, type: DeltaType): string {
  const name = identifier(column);
  return type === "string"
    ? name
    : typeof type === "string"
      ? `CAST(${name} AS VARCHAR)`
      : `CAST(to_json(${name}) AS VARCHAR)`;
}
