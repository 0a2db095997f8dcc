/** Rows of a published set with the types that their contract gives them. */
import { duckdbType } from "../../lakehouse/delta/schema.ts";
import type { ResultColumn } from "../../lakehouse/duckdb/duckdb.ts";
import type { PublishedRow } from "../../layers/publish/target.ts";
import type { Column } from "../../schemas/column.ts";
import type { ResultStream } from "../explore/explorer.ts";
import type { ServedSet } from "./served-sets.ts";

/** Rows that are looked at together. */
const BATCH = 1_000;

/**
 * The rows as a result with exact types. Columns that the contract does not have, as those of a set with SQL of its own,
 * are what JSON makes of them: DOUBLE, BOOLEAN or text.
 */
export function typedRows(
  { declared, contract }: Pick<ServedSet, "declared" | "contract">,
  rows: readonly PublishedRow[],
): ResultStream {
  const known = declared.sql === undefined ? (contract?.columns ?? {}) : {};
  const named = declared.columns ?? Object.keys(known);
  const names = [...new Set([...named, ...Object.keys(rows[0] ?? {})])];
  const columns = names.map((name): ResultColumn => {
    const column = Object.hasOwn(known, name) ? known[name] : undefined;
    return { name, type: column === undefined ? jsonType(rows, name) : columnType(column) };
  });
  return { columns, chunks: chunksOf(columns, rows) };
}

/** A digest takes the place of a value of whatever type. */
const columnType = ({ type, sensitivity }: Column): string =>
  sensitivity === "hash" ? "VARCHAR" : duckdbType(type);

function jsonType(rows: readonly PublishedRow[], name: string): string {
  const types = new Set<string>();
  for (const row of rows) {
    const value = row[name];
    if (value !== null && value !== undefined) types.add(typeof value);
  }
  const [only = "string", another] = types;
  if (another !== undefined) return "VARCHAR";
  return { number: "DOUBLE", boolean: "BOOLEAN" }[only] ?? "VARCHAR";
}

async function* chunksOf(
  columns: readonly ResultColumn[],
  rows: readonly PublishedRow[],
): AsyncGenerator<readonly (readonly unknown[])[], void, undefined> {
  const read = columns.map(({ name, type }) =>
    type === "BLOB"
      ? (row: PublishedRow) => bytesOf(row[name])
      : (row: PublishedRow) => (Object.hasOwn(row, name) ? row[name] : null),
  );
  for (let start = 0; start < rows.length; start += BATCH) {
    yield rows.slice(start, start + BATCH).map((row) => read.map((value) => value(row)));
  }
}

const bytesOf = (value: unknown) => (typeof value === "string" ? Buffer.from(value, "base64") : null);
