/**
 * Variants (PROTOCOL.md, "Variant Data Type"): read as the two binary parts that files keep them in. Shredded ones
 * have parts in columns of their own, which would be missing: they are refused.
 */
import { literal } from "../../duckdb/quote.ts";
import type { DataType } from "../schema.ts";

/** Begins DuckDB's message where a file holds shredded variants. */
export const SHREDDED = "ingot-shredded-variant";

/** Whether a column of this type holds variants at any depth. */
export function hasVariants(type: DataType): boolean {
  if (typeof type === "string") return type === "variant";
  if (type.type === "array") return hasVariants(type.elementType);
  if (type.type === "map") return hasVariants(type.keyType) || hasVariants(type.valueType);
  return type.fields.some((f) => hasVariants(f.type));
}

/** `sql`, which fails where one of these files holds shredded variants: their schemas say so. */
export function refusingShredded(sql: string, addresses: readonly string[]): string {
  const schemas = `parquet_schema([${addresses.map(literal).join(", ")}])`;
  return `SELECT * FROM (${sql}) WHERE (SELECT CASE WHEN count(*) = 0 THEN true ELSE error('${SHREDDED}') END FROM ${schemas} WHERE name = 'typed_value')`;
}
