/** A snapshot as a DuckDB relation over exactly the files that it names. */

import { createHash, randomUUID } from "node:crypto";
import { mkdir, rename, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readParquet } from "../duckdb/duckdb.ts";
import { identifier, literal } from "../duckdb/quote.ts";
import { TerminalError } from "../errors.ts";
import type { ObjectStore } from "../store/store.ts";
import type { AddFile } from "./actions.ts";
import { duckdbType, type StructType } from "./schema.ts";
import type { Snapshot } from "./snapshot.ts";

/** What a relation is made of; a snapshot is one, a subset of its files another. */
export interface Scannable {
  readonly schema: StructType;
  readonly partitionColumns: readonly string[];
  readonly files: readonly AddFile[];
}

export function scannable(snapshot: Snapshot): Scannable {
  return {
    schema: snapshot.schema,
    partitionColumns: snapshot.metadata.partitionColumns,
    files: [...snapshot.files.values()],
  };
}

/**
 * SQL that gives the rows of these files in the table's columns. With `fileColumn` one more column carries the
 * `path` of the file that each row is in. Files are immutable: the SQL stays right whatever is committed later,
 * until vacuum.
 */
export async function scanSql(store: ObjectStore, table: Scannable, fileColumn?: string): Promise<string> {
  const { schema, files } = table;
  const partitioned = new Set(table.partitionColumns);
  const extra = fileColumn === undefined ? [] : [`NULL::VARCHAR AS ${identifier(fileColumn)}`];
  if (files.length === 0) {
    const nulls = schema.fields.map((f) => `NULL::${duckdbType(f.type)} AS ${identifier(f.name)}`);
    return `SELECT ${[...nulls, ...extra].join(", ") || "NULL"} WHERE false`;
  }
  const addresses = await fileAddresses(store, table);
  const needsFile = partitioned.size > 0 || fileColumn !== undefined;
  const columns = schema.fields.map((f) =>
    partitioned.has(f.name)
      ? `_values.${identifier(f.name)}`
      : `_data.${identifier(f.name)}::${duckdbType(f.type)} AS ${identifier(f.name)}`,
  );
  if (fileColumn !== undefined) columns.push(`_values._path AS ${identifier(fileColumn)}`);
  // A file may lack columns that the table was given later: the empty first part has them all, as NULL.
  const absent = schema.fields
    .filter((f) => !partitioned.has(f.name))
    .map((f) => `NULL AS ${identifier(f.name)}`);
  const options = `, union_by_name = true${needsFile ? ", filename = '_ingot_file'" : ""}`;
  const source = `(SELECT ${absent.join(", ") || "NULL"} WHERE false UNION ALL BY NAME SELECT * FROM ${readParquet(addresses, options)})`;
  const from = needsFile
    ? `${source} AS _data JOIN (${valuesSql(table, addresses)}) AS _values ON _data._ingot_file = _values._address`
    : `${source} AS _data`;
  return `SELECT ${columns.join(", ")} FROM ${from}`;
}

/** What DuckDB opens for each of these files. */
export function fileAddresses(store: ObjectStore, { files }: Scannable): Promise<string[]> {
  return Promise.all(files.map((file) => addressOf(store, file.path)));
}

/** One row a file: its address, its path and its partition values, typed. */
function valuesSql(table: Scannable, addresses: readonly string[]): string {
  const columns = table.schema.fields.filter((f) => table.partitionColumns.includes(f.name));
  const rows = table.files.map((file, i) => {
    // The protocol does not tell an empty partition value from null.
    const values = columns.map((f) => literal(file.partitionValues[f.name] ?? ""));
    return `(${[literal(addresses[i] ?? ""), literal(file.path), ...values].join(", ")})`;
  });
  const names = ["_address", "_path", ...columns.map((_, i) => `_value_${i}`)];
  const typed = columns.map(
    (f, i) => `nullif(_value_${i}, '')::${duckdbType(f.type)} AS ${identifier(f.name)}`,
  );
  return `SELECT ${["_address", "_path", ...typed].join(", ")} FROM (VALUES ${rows.join(", ")}) AS _rows(${names.join(", ")})`;
}

/** A path of the log as something that DuckDB opens; fetched once into a local cache where the store is not local. */
async function addressOf(store: ObjectStore, path: string): Promise<string> {
  if (/^[a-z][a-z0-9+.-]*:/i.test(path)) {
    if (path.startsWith("file:")) return decodeURIComponent(new URL(path).pathname);
    throw new TerminalError(`${store.root} names a file outside of it`, {
      code: "DELTA_FOREIGN_FILE",
      value: path,
    });
  }
  const decoded = decodeURIComponent(path);
  return store.address(decoded) ?? cached(store, decoded);
}

async function cached(store: ObjectStore, path: string): Promise<string> {
  // One for each user, closed to others, who could plant files in it.
  const folder = join(tmpdir(), `ingot-cache-${process.getuid?.() ?? "user"}`);
  const name = createHash("sha256").update(`${store.root}\n${path}`).digest("hex");
  const file = join(folder, `${name}.parquet`);
  if (await stat(file).catch(() => undefined)) return file;
  const bytes = await store.get(path);
  if (bytes === undefined) {
    throw new TerminalError(`${store.root} has lost the data file ${path}`, {
      code: "DELTA_MISSING_FILE",
      value: path,
    });
  }
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const partial = join(folder, `.${randomUUID()}`);
  await writeFile(partial, bytes);
  await rename(partial, file);
  return file;
}
