/** Rows of reference tables in a form in which those of several engines can be compared. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type DuckDb, type Row, readParquet } from "../../lakehouse/duckdb/duckdb.ts";

export interface ExpectedRows {
  readonly rows: readonly Row[];
  /** Whether the engine told null from empty lists, maps and structs. */
  readonly isExact: boolean;
}

/** Spark wrote its timestamps in a zone that the log does not tell; others take them as UTC. */
const OWN_ZONE = /data-reader-partition-values$/;

/** What is known of the rows of a table's newest version; undefined where that is their number only. */
export async function expectedRows(duckdb: DuckDb, folder: string): Promise<ExpectedRows | undefined> {
  const written = parquetFiles(join(folder, "expected"));
  if (written.length > 0 && !OWN_ZONE.test(folder))
    return { rows: await duckdb.rows(`FROM ${readParquet(written)}`), isExact: true };
  const read = parquetFiles(join(folder, "oracle"));
  if (read.length > 0) return { rows: await duckdb.rows(`FROM ${readParquet(read)}`), isExact: false };
  const lines = textOf(join(folder, "oracle/latest.jsonl"))?.split("\n").filter(Boolean);
  return lines && { rows: lines.map((line) => JSON.parse(line) as Row), isExact: false };
}

/** One text a row, sorted: integers, decimals and times lose nothing, floats keep six digits. */
export function rowTexts(rows: readonly Row[], isExact: boolean): string[] {
  const shape = (value: unknown) => (isExact ? scalarsAsText(value) : withoutEmpty(scalarsAsText(value)));
  return rows.map((row) => JSON.stringify(shape(row) ?? {})).sort();
}

function scalarsAsText(value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (typeof value === "bigint" || typeof value === "boolean") return String(value);
  if (typeof value === "number") return String(Number(value.toPrecision(6)));
  if (typeof value === "string") return plainText(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("utf8");
  if (Array.isArray(value)) return value.map(scalarsAsText);
  const members = Object.entries(value as object).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, scalarsAsText(member)]));
}

function plainText(text: string): string {
  if (/^\d{4,}-\d\d-\d\d[T ]\d\d:/.test(text)) {
    return text
      .replace(" ", "T")
      .replace(/Z$/, "")
      .replace(/\.?0*$/, (zeros) => (text.includes(".") ? "" : zeros));
  }
  if (/^-?\d+\.\d+$/.test(text)) return text.replace(/\.?0+$/, "");
  return text;
}

/** Nothing in the place of null, empty lists and objects, at any depth. */
function withoutEmpty(value: unknown): unknown {
  if (value === null || typeof value !== "object") return value ?? undefined;
  if (Array.isArray(value))
    return value.length === 0 ? undefined : value.map((item) => withoutEmpty(item) ?? null);
  const kept = Object.entries(value)
    .map(([name, member]) => [name, withoutEmpty(member)] as const)
    .filter(([, member]) => member !== undefined);
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}

function parquetFiles(folder: string): string[] {
  const names = listed(folder).filter((name) => name.endsWith(".parquet"));
  return names.map((name) => join(folder, name));
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
