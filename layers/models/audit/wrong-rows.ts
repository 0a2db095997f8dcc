/** The rows that an audit finds wrong, as SQL. */
import { duckdbType } from "../../../lakehouse/delta/schema.ts";
import { identifier, identifiers, literal } from "../../../lakehouse/duckdb/quote.ts";
import type { AuditCheck } from "../../definition/audit.ts";
import { contractSchema } from "../contract.ts";
import type { Model } from "../planned-model.ts";
import type { AuditResult } from "./audit-result.ts";

export interface WrongRows {
  readonly sql: string;
  /** SQL over these rows: how many rows of the table they are. */
  readonly count: string;
  /** Where they were looked for. */
  readonly checked: AuditResult["checked"];
}

/** Column of groups: rows of the table that they are. */
const ROWS = "_ingot_rows";

/** Where to look: the whole table, and the part of it that may be wrong. */
interface Relations {
  readonly own: string;
  /** Undefined where all of it may be. */
  readonly written: string | undefined;
}

type RowCheck = Extract<AuditCheck, { kind: "notNull" | "acceptedValues" | "unique" | "sql" }>;

/** The rows of a check that looks at the model's own table, or at what SQL gives. */
export function wrongRows(model: Model, check: RowCheck, relations: Relations): WrongRows {
  const { own, written } = relations;
  const checked = written === undefined ? "table" : "written";
  switch (check.kind) {
    case "notNull": {
      const where = `${identifier(check.column)} IS NULL`;
      return { sql: `SELECT * FROM ${written ?? own} WHERE ${where}`, count: "count(*)", checked };
    }
    case "acceptedValues": {
      const where = `${identifier(check.column)} NOT IN (${acceptedSql(model, check).join(", ")})`;
      return { sql: `SELECT * FROM ${written ?? own} WHERE ${where}`, count: "count(*)", checked };
    }
    case "unique": {
      const names = identifiers(check.columns);
      const values = check.columns.map((name) => `${identifier(name)} IS NOT NULL`).join(" AND ");
      const part = written && ` SEMI JOIN (SELECT DISTINCT ${names} FROM ${written}) USING (${names})`;
      return {
        sql: `SELECT ${names}, count(*) AS ${ROWS} FROM ${own}${part ?? ""} WHERE ${values} GROUP BY ${names} HAVING count(*) > 1`,
        count: `sum(${ROWS})`,
        checked,
      };
    }
    case "sql":
      return { sql: `SELECT * FROM (${check.sql}\n)`, count: "count(*)", checked: "table" };
  }
}

/** The accepted values as values of the column's type. */
export function acceptedSql(
  { contract }: Model,
  { column, values }: Extract<AuditCheck, { kind: "acceptedValues" }>,
): string[] {
  const field = contractSchema(contract).fields.find(({ name }) => name === column);
  if (field === undefined) throw new RangeError(`no column ${column}`);
  return values.map((value) => `CAST(${literal(String(value))} AS ${duckdbType(field.type)})`);
}
