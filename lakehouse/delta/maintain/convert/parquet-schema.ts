/** One schema for many Parquet files: the union of their columns. */
import type { DuckDb } from "../../../duckdb/duckdb.ts";
import { readParquet } from "../../../duckdb/duckdb.ts";
import { literal } from "../../../duckdb/quote.ts";
import { messageOf, TerminalError } from "../../../errors.ts";
import { inferType } from "../../infer-schema.ts";
import { type DataType, field, type StructField, type StructType } from "../../schema.ts";

/** A Parquet file by its path in the table and what DuckDB opens for it. */
export interface ParquetSource {
  readonly path: string;
  readonly address: string;
}

/** Files whose footers one statement reads. */
const BATCH = 200;

/** The columns of all files; those of only some are null in the others. Rejects types that do not go together. */
export async function unionSchema(duckdb: DuckDb, files: readonly ParquetSource[]): Promise<StructType> {
  const columns = new Map<string, { readonly field: StructField; readonly path: string }>();
  for (const source of await distinctSchemas(duckdb, files)) {
    const { fields } = await fileSchema(duckdb, source);
    for (const f of fields) {
      const known = columns.get(f.name.toLowerCase());
      const merged = known === undefined ? f : mergeFields(known.field, f, known.path, source.path);
      columns.set(
        f.name.toLowerCase(),
        known === undefined ? { field: f, path: source.path } : { ...known, field: merged },
      );
    }
  }
  return { type: "struct", fields: [...columns.values()].map((column) => column.field) };
}

/** The columns of one Parquet file as Delta has them. Rejects what Delta has no type for, naming the file. */
export async function fileSchema(duckdb: DuckDb, { path, address }: ParquetSource): Promise<StructType> {
  const described = await ofFile(path, () => duckdb.rows(`DESCRIBE FROM ${readParquet([address])}`));
  const legacy = new Set(
    (await duckdb.rows(`SELECT name FROM parquet_schema(${literal(address)}) WHERE type = 'INT96'`)).map(
      (row) => row.name,
    ),
  );
  const fields = await ofFile(path, async () =>
    described.map(({ column_name: name, column_type: type }) =>
      // Old writers kept instants in 96 bits, without saying so.
      legacy.has(name) ? field(String(name), "timestamp") : field(String(name), inferType(String(type))),
    ),
  );
  return { type: "struct", fields };
}

/** One file of each schema: most folders have one schema and many files. */
async function distinctSchemas(duckdb: DuckDb, files: readonly ParquetSource[]): Promise<ParquetSource[]> {
  const byShape = new Map<string, ParquetSource>();
  for (let at = 0; at < files.length; at += BATCH) {
    const batch = files.slice(at, at + BATCH);
    const byAddress = new Map(batch.map((file) => [file.address, file]));
    for (const { file_name: address, shape } of await shapesOf(duckdb, batch)) {
      const file = byAddress.get(String(address));
      if (file && !byShape.has(String(shape))) byShape.set(String(shape), file);
    }
  }
  return [...byShape.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function shapesOf(duckdb: DuckDb, files: readonly ParquetSource[]) {
  const sql = (addresses: readonly string[]) =>
    `SELECT file_name, md5(string_agg(concat_ws('|', name, type, num_children, repetition_type, converted_type, scale, "precision", logical_type, duckdb_type), chr(10) ORDER BY column_id)) AS shape FROM parquet_schema([${addresses.map(literal).join(", ")}]) GROUP BY file_name`;
  try {
    return await duckdb.rows(sql(files.map(({ address }) => address)));
  } catch {
    // One of them cannot be read; DuckDB does not say which.
    const rows = [];
    for (const { path, address } of files)
      rows.push(...(await ofFile(path, () => duckdb.rows(sql([address])))));
    return rows;
  }
}

/** Adds the file to an error of reading it. */
async function ofFile<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new TerminalError(`${path} cannot be part of a table: ${messageOf(cause).split("\n")[0]}`, {
      code: "DELTA_BAD_PARQUET",
      value: path,
      next: "Move the file away, or write it anew with types that Delta has.",
      cause,
    });
  }
}

function mergeFields(a: StructField, b: StructField, aPath: string, bPath: string): StructField {
  const type = a.name === b.name ? mergeTypes(a.type, b.type) : undefined;
  if (type !== undefined) return { ...a, type };
  const shown = ({ name, type: t }: StructField) =>
    `${name} ${typeof t === "string" ? t : JSON.stringify(t)}`;
  throw new TerminalError(`column ${a.name} differs between files`, {
    code: "DELTA_INCOMPATIBLE_FILES",
    value: `${shown(b)} in ${bPath}`,
    allowed: `${shown(a)}, as in ${aPath}`,
    next: "Write these files anew with one name and one type for the column, or convert them apart.",
  });
}

/** Readers open files with the table's types: only structs may differ, by members that some files lack. */
function mergeTypes(a: DataType, b: DataType): DataType | undefined {
  if (typeof a === "string" || typeof b === "string") return a === b ? a : undefined;
  if (a.type === "array" && b.type === "array") {
    const elementType = mergeTypes(a.elementType, b.elementType);
    return elementType && { ...a, elementType };
  }
  if (a.type === "map" && b.type === "map") {
    const [keyType, valueType] = [mergeTypes(a.keyType, b.keyType), mergeTypes(a.valueType, b.valueType)];
    return keyType && valueType && { ...a, keyType, valueType };
  }
  return a.type === "struct" && b.type === "struct" ? mergeStructs(a, b) : undefined;
}

function mergeStructs(a: StructType, b: StructType): StructType | undefined {
  const fields = [...a.fields];
  for (const f of b.fields) {
    const at = fields.findIndex((known) => known.name === f.name);
    const known = fields[at];
    const type = known === undefined ? f.type : mergeTypes(known.type, f.type);
    if (type === undefined) return undefined;
    if (known === undefined) fields.push(f);
    else fields[at] = { ...known, type };
  }
  return { ...a, fields };
}
