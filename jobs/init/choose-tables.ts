/** Which of the tables that were found are taken, and why others are not. */
import { TerminalError } from "../../lakehouse/errors.ts";
import type { FoundTable } from "./read-tables.ts";

/** What was asked for; absent means all. Patterns: `orders`, `shop.orders`, `audit_*`. */
export interface TableChoice {
  readonly schemas?: readonly string[] | undefined;
  readonly tables?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
}

/** A table that is not taken. */
export interface LeftTable {
  readonly table: string;
  readonly why: string;
}

export const qualified = ({ schema, name }: Pick<FoundTable, "schema" | "name">) => `${schema}.${name}`;

/** The tables that were asked for. Throws `INIT_SCHEMA` or `INIT_TABLE` for a name that fits none. */
export function chooseTables(found: readonly FoundTable[], choice: TableChoice): FoundTable[] {
  const { schemas, tables, exclude = [] } = choice;
  const known = [...new Set(found.map((table) => table.schema))];
  const strange = schemas?.find((schema) => !known.includes(schema));
  if (strange !== undefined) {
    throw new TerminalError(`there are no tables in a schema ${strange}`, {
      code: "INIT_SCHEMA",
      value: strange,
      allowed: known.join(", "),
    });
  }
  const within = found.filter((table) => schemas === undefined || schemas.includes(table.schema));
  const unknown = [...(tables ?? []), ...exclude].find((pattern) => !within.some(fits(pattern)));
  if (unknown !== undefined) {
    throw new TerminalError(`no table is called ${unknown}`, {
      code: "INIT_TABLE",
      value: unknown,
      allowed: listed(within.map(qualified)),
      next: "Give table, schema.table, or a pattern with *; separated by commas.",
    });
  }
  const wanted = tables === undefined ? within : within.filter((table) => tables.some((p) => fits(p)(table)));
  return wanted.filter((table) => !exclude.some((pattern) => fits(pattern)(table)));
}

/** The first names of a list, and how many more there are. */
export function listed(names: readonly string[], most = 20): string {
  const rest = names.length - most;
  return rest > 0 ? `${names.slice(0, most).join(", ")} and ${rest} more` : names.join(", ");
}

function fits(pattern: string): (table: FoundTable) => boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  const expression = new RegExp(`^${parts.join(".*")}$`, "su");
  return (table) => expression.test(table.name) || expression.test(qualified(table));
}

/** Parts tables that an ingestion takes from those that it would refuse. */
export function usableTables(tables: readonly FoundTable[]): {
  readonly usable: FoundTable[];
  readonly left: LeftTable[];
} {
  const usable: FoundTable[] = [];
  const left: LeftTable[] = [];
  for (const table of tables) {
    const why = obstacle(table);
    if (why === undefined) usable.push(table);
    else left.push({ table: qualified(table), why });
  }
  return { usable, left };
}

function obstacle({ columns, readable, rowSecurity }: FoundTable): string | undefined {
  if (!readable) return "no right to read it: GRANT USAGE on its schema and SELECT on it";
  if (rowSecurity) return "row level security may hide rows from this user: ALTER ROLE … BYPASSRLS";
  if (columns.length === 0) return "it has no columns";
  const names = columns.map(({ name }) => name.toLowerCase());
  const reserved = columns.find(({ name }) => name.toLowerCase().startsWith("_ingot_"));
  if (reserved) return `its column ${reserved.name} has a name that Ingot keeps for itself`;
  const twice = columns.find(({ name }, i) => names.indexOf(name.toLowerCase()) !== i);
  if (twice) return `two of its columns are called ${twice.name}, but for case`;
  return undefined;
}
