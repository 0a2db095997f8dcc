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
import { readDeletionVector } from "./deletion-vector/read.ts";
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

/** Names of columns that a scan gives beside the table's. */
export interface ScanColumns {
  /** Index into the list of files, INTEGER. */
  readonly fileIndex?: string;
  /** Place in the file, BIGINT. */
  readonly rowIndex?: string;
}

/** SQL that gives the rows of these files in the table's columns. */
export async function scanSql(store: ObjectStore, table: Scannable, o: ScanColumns = {}): Promise<string> {
  const { schema, files } = table;
  const extra = [
    ...(o.fileIndex ? [`NULL::INTEGER AS ${o.fileIndex}`] : []),
    ...(o.rowIndex ? [`NULL::BIGINT AS ${o.rowIndex}`] : []),
  ];
  if (files.length === 0) {
    const nulls = schema.fields.map((f) => `NULL::${duckdbType(f.type)} AS ${identifier(f.name)}`);
    return `SELECT ${[...nulls, ...extra].join(", ") || "NULL"} WHERE false`;
  }
  const addresses = await fileAddresses(store, table);
  const parts = new Set(table.partitionColumns);
  const phys = (f: StructType["fields"][number]) =>
    String(f.metadata["delta.columnMapping.physicalName"] ?? f.name);
  const cols = schema.fields
    .filter((f) => !parts.has(f.name))
    .map(
      (f, i) =>
        `${literal(phys(f))}: {name: 'c_${i}', type: ${literal(duckdbType(f.type))}, default_value: NULL}`,
    );
  const gone: string[] = [];
  for (const [i, f] of files.entries()) {
    if (f.deletionVector)
      for (const r of await readDeletionVector(store, f.deletionVector)) gone.push(`(${i},${r})`);
  }
  const from = `read_parquet([${addresses.map(literal).join(", ")}], hive_partitioning=false, schema = MAP {${cols.join(", ")}})`;
  const keys = schema.fields.filter((f) => parts.has(f.name));
  const vals = files.map(
    (file, i) => `(${[i, ...keys.map((f) => literal(file.partitionValues[phys(f)] ?? ""))].join(", ")})`,
  );
  let d = 0;
  let p = 0;
  const out = schema.fields.map((f) =>
    parts.has(f.name)
      ? `nullif(v${p++}, '')::${duckdbType(f.type)} AS ${identifier(f.name)}`
      : `c_${d++} AS ${identifier(f.name)}`,
  );
  if (o.fileIndex) out.push(`_fi::INTEGER AS ${o.fileIndex}`);
  if (o.rowIndex) out.push(`_rn AS ${o.rowIndex}`);
  const names = ["_i", ...[...parts].map((_, i) => `v${i}`)];
  const anti = gone.length ? ` ANTI JOIN (VALUES ${gone.join(", ")}) AS _dv(_fi,_rn) USING (_fi,_rn)` : "";
  return `SELECT ${out.join(", ")} FROM (SELECT *, file_index AS _fi, file_row_number AS _rn FROM ${from}) ${anti} JOIN (VALUES ${vals.join(", ")}) AS _v(${names.join(", ")}) ON _i = _fi`;
}

/** What DuckDB opens for each of these files. */
export function fileAddresses(store: ObjectStore, { files }: Scannable): Promise<string[]> {
  return Promise.all(files.map((file) => addressOf(store, file.path)));
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
