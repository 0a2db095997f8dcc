/** Compiles a contract: from zod's checks to rules in SQL. */
import { createHash } from "node:crypto";
import type { z } from "zod";
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import type { Column } from "../../schemas/column.ts";
import { referencesOf } from "../../schemas/references.ts";
import type { AnyContract } from "../../schemas/table.ts";
import type { Clause } from "./clause.ts";
import type { CompiledContract, ResidualRule, Rule } from "./rule.ts";
import { schemaClauses } from "./schema-clauses.ts";

/**
 * What a row has to keep, as SQL, and what is left for JavaScript. A row keeps its contract exactly where zod takes
 * it (a property test holds this), and keeps the checks of the table.
 *
 * @throws ContractError where a reference is wrong.
 */
export function compileContract(contract: AnyContract): CompiledContract {
  // Other contracts are there by now.
  referencesOf(contract);
  const rules: Rule[] = [];
  const residual: ResidualRule[] = [];
  for (const [name, column] of Object.entries(contract.columns)) {
    if (!column.isNullable) {
      rules.push({ name: `${name}.required`, column: name, sql: `${identifier(name)} IS NOT NULL` });
    }
    const taken = new Set<string>();
    for (const clause of schemaClauses(column.value, column.type, identifier(name))) {
      const rule = unused(nameIn(name, clause), taken);
      if (clause.sql !== undefined && clause.sql !== "true")
        rules.push({ name: rule, column: name, sql: clause.sql });
      if (clause.residual) residual.push(residualRule(rule, name, column, clause.residual));
    }
  }
  for (const [name, { sql, message }] of Object.entries(contract.checks)) {
    rules.push({ name, sql, ...(message === undefined ? {} : { message }) });
  }
  const content = JSON.stringify([rules.map((r) => [r.name, r.sql]), residual.map((r) => [r.name, r.spec])]);
  const fingerprint = createHash("sha256").update(content).digest("hex").slice(0, 16);
  return { name: contract.name, rules, residual, fingerprint };
}

const nameIn = (column: string, { name }: Clause) =>
  name.startsWith("[]") ? `${column}${name}` : `${column}.${name}`;

/** The same check may be there twice, of other values. */
function unused(name: string, taken: Set<string>): string {
  let free = name;
  for (let i = 2; taken.has(free); i++) free = `${name}${i}`;
  taken.add(free);
  return free;
}

function residualRule(
  name: string,
  column: string,
  { value: schema }: Column,
  { where, spec, check }: NonNullable<Clause["residual"]>,
): ResidualRule {
  return {
    name,
    column,
    spec,
    ...(where === undefined ? {} : { where }),
    keeps: (value) => keeps(schema, check, value),
  };
}

/** Runs the whole schema, so that a check sees only values that passed those before it, as with zod itself. */
function keeps(schema: z.core.$ZodType, check: object | undefined, value: unknown): boolean {
  const result = schema._zod.run({ value, issues: [] }, { async: false });
  if (result instanceof Promise)
    throw new TypeError("a check of a contract must give its verdict at once, not a promise");
  if (check === undefined) return result.issues.length === 0;
  // What a check's own code raises with words alone (`addIssue("…")`) does not carry the check.
  return !result.issues.some(({ inst }) => inst === check || typeof inst !== "object" || !("_zod" in inst));
}
