/** Between contracts and Delta tables. */
import type { AnyContract } from "../../schemas/table.ts";
import { field, type StructType } from "../delta/schema.ts";

/** The Delta schema of a contract: types, which columns may be null, comments. */
export function contractSchema(contract: AnyContract): StructType {
  const fields = Object.entries(contract.columns).map(([name, c]) =>
    field(name, c.type, c.isNullable, c.description),
  );
  return { type: "struct", fields };
}

/** A row as DuckDB gives it, as the contract's type has it: instants are Dates there. */
export function toContractRow(
  row: Readonly<Record<string, unknown>>,
  contract: AnyContract,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      const isInstant = contract.columns[name]?.type === "timestamp";
      return [name, isInstant && typeof value === "string" ? new Date(value) : value];
    }),
  );
}
