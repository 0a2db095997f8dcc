/** Where the rows of a write come from. */
import { randomUUID } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Session } from "../duckdb/duckdb.ts";
import { identifier, literal } from "../duckdb/quote.ts";
import { makeScratch } from "../scratch.ts";
import { rowCheck } from "./check-row.ts";
import { duckdbType, type StructType } from "./schema.ts";

/** Rows to write: DuckDB SQL, in a session of the caller's where it names that session's tables; or plain objects. */
export type Source =
  | string
  | { readonly sql: string; readonly session?: Session }
  | { readonly rows: readonly Readonly<Record<string, unknown>>[] };

/** The session that a source must be read in; undefined where any will do. */
export function sessionOf(source: Source): Session | undefined {
  return typeof source === "object" && "sql" in source ? source.session : undefined;
}

/**
 * Runs `work` with SQL for the source's rows. Objects are typed by `schema`: bigints and decimals keep their digits,
 * dates are instants, bytes go to binary columns; a missing key is NULL, what `rowCheck` finds is an error.
 */
export async function withSource<T>(
  source: Source,
  schema: StructType | undefined,
  work: (sql: string) => Promise<T>,
): Promise<T> {
  if (typeof source === "string") return work(source);
  if ("sql" in source) return work(source.sql);
  if (schema === undefined) throw new RangeError("plain rows need the columns of a table");
  const folder = await makeScratch();
  try {
    const file = join(folder, `${randomUUID()}.jsonl`);
    const check = rowCheck(schema);
    const lines = source.rows.map((row) => {
      check(row);
      return JSON.stringify(row, asText);
    });
    await writeFile(file, lines.join("\n"));
    return await work(jsonSql(file, schema, lines));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Begins the text of bytes. */
const BYTES = "0x";

/** Values that JSON has no form for, as text that DuckDB casts back. */
function asText(this: unknown, key: string, value: unknown): unknown {
  // A Buffer has become something else by now: what it was stands in the object.
  const own = typeof this === "object" && this !== null ? Reflect.get(this, key) : value;
  if (typeof own === "bigint") return own.toString();
  if (own instanceof Uint8Array) return `${BYTES}${Buffer.from(own).toString("hex")}`;
  if (typeof own === "number" && !Number.isFinite(own)) return String(own);
  return value;
}

function jsonSql(file: string, schema: StructType, lines: readonly string[]): string {
  if (lines.length === 0) {
    return `SELECT ${schema.fields.map((f) => `NULL::${duckdbType(f.type)} AS ${identifier(f.name)}`).join(", ")} WHERE false`;
  }
  const longest = lines.reduce((most, line) => Math.max(most, 3 * line.length), 1 << 20);
  const columns = schema.fields.map(
    (f) => `${literal(f.name)}: ${literal(f.type === "binary" ? "VARCHAR" : duckdbType(f.type))}`,
  );
  const read = `read_json(${literal(file)}, format = 'newline_delimited', maximum_object_size = ${longest}, columns = {${columns.join(", ")}})`;
  const values = schema.fields.map((f) => {
    const name = identifier(f.name);
    return f.type === "binary" ? `unhex(substr(${name}, ${BYTES.length + 1})) AS ${name}` : name;
  });
  return `SELECT ${values.join(", ")} FROM ${read}`;
}
