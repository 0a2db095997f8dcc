/** Which rows and columns of a gold table a publication takes, as SQL. */
import { identifier, identifiers, literal } from "../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import type { PublishedCondition, PublishedPart, PublishedValue } from "../definition/published.ts";

const OPERATORS = { eq: "=", ne: "<>", gt: ">", gte: ">=", lt: "<", lte: "<=" } as const;

/** SQL of the rows, without their order and limit. `scan`: the gold table; a projection calls it by the model's name. */
export function partSql(part: PublishedPart, model: string, scan: string): string {
  // Its own line: a comment at the end of the user's SQL hides nothing of ours.
  if (part.sql !== undefined) return `WITH ${identifier(model)} AS (${scan}) SELECT * FROM (${part.sql}\n)`;
  const columns = part.columns ? identifiers(part.columns) : "*";
  const conditions = Object.entries(part.where ?? {}).flatMap(([name, condition]) =>
    conditionSql(identifier(name), condition),
  );
  const where = conditions.length > 0 ? ` WHERE ${conditions.join(" AND ")}` : "";
  return `SELECT ${columns} FROM (${scan})${where}`;
}

/** ORDER BY and LIMIT of the rows. `key`: what orders them where nothing was declared; a table has no order. */
export function orderSql({ orderBy, limit }: PublishedPart, key: readonly string[], row: string): string {
  const terms = (orderBy ?? key).map((term) =>
    orderBy !== undefined && term.startsWith("-")
      ? `${row}.${identifier(term.slice(1))} DESC NULLS LAST`
      : `${row}.${identifier(term)}`,
  );
  const order = terms.length > 0 ? ` ORDER BY ${terms.join(", ")}` : "";
  return limit === undefined ? order : `${order} LIMIT ${limit}`;
}

function conditionSql(column: string, condition: PublishedCondition): string[] {
  if (typeof condition !== "object") return [`${column} = ${valueSql(condition)}`];
  return Object.entries(condition).map(([name, wanted]) => {
    if (name === "isNull") return `${column} IS ${wanted ? "" : "NOT "}NULL`;
    if (name === "in") {
      const values = wanted as readonly PublishedValue[];
      return values.length > 0 ? `${column} IN (${values.map(valueSql).join(", ")})` : "false";
    }
    return `${column} ${OPERATORS[name as keyof typeof OPERATORS]} ${valueSql(wanted as PublishedValue)}`;
  });
}

/** A literal: results that are read as columns have no parameters. A text takes the type of what it is compared with. */
function valueSql(value: PublishedValue): string {
  if (typeof value === "string") return literal(value);
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new TerminalError("a published part compares with what is no number", {
      code: "PUBLISH_PART_INVALID",
      value,
      allowed: "a finite number",
    });
  }
  return String(value);
}
