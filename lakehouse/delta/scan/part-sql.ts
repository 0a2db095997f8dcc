/** The rows of some files of a table as one SELECT. */
import { identifier, literal } from "../../duckdb/quote.ts";
import { type Layout, nameInFiles } from "../layout.ts";
import { duckdbType, type StructField, type StructType } from "../schema.ts";
import { rowCount } from "../stats.ts";
import { partitionLiteral } from "./partition-literal.ts";
import type { NumberedFile } from "./parts.ts";
import { columnName, readFilesSql } from "./read-files.ts";
import { toLogicalSql } from "./struct-names.ts";

/** About what a row takes, for files that do not say how many they have. */
const BYTES_A_ROW = 50;

export interface Part {
  readonly schema: StructType;
  readonly partitionColumns: readonly string[];
  readonly mapping: Layout["mapping"];
  /** At least one, with what DuckDB opens for it. */
  readonly files: readonly (NumberedFile & { readonly address: string })[];
  /** What follows the relation of the files, to leave deleted rows out. */
  readonly withoutDeleted: string;
}

/** Columns that say where a row is, by the names they get. */
interface Places {
  readonly fileIndex?: string;
  readonly rowIndex?: string;
  readonly filePath?: string;
}

/** The table's columns in their order, then the place of each row as far as asked for. */
export function partSql(part: Part, places: Places): string {
  const { schema, partitionColumns, mapping, files, withoutDeleted } = part;
  const isPartition = new Set(partitionColumns);
  const data = schema.fields.filter((f) => !isPartition.has(f.name));
  const columns = schema.fields.map((f) => {
    const value = isPartition.has(f.name) ? partitionSql(f, part) : dataSql(f, data.indexOf(f), mapping);
    return `${value} AS ${identifier(f.name)}`;
  });
  if (places.fileIndex !== undefined) columns.push(`${indexSql(files)} AS ${identifier(places.fileIndex)}`);
  if (places.rowIndex !== undefined) columns.push(`file_row_number AS ${identifier(places.rowIndex)}`);
  if (places.filePath !== undefined) {
    const paths = files.map(({ file }) => literal(file.path));
    columns.push(`${perFile(paths, "VARCHAR")} AS ${identifier(places.filePath)}`);
  }
  const read = readFilesSql(
    files.map(({ address }) => address),
    data,
    mapping,
    files.reduce((sum, { file }) => sum + (rowCount(file) ?? file.size / BYTES_A_ROW), 0),
  );
  return `SELECT ${columns.join(", ") || "NULL"} FROM ${read} AS _data${withoutDeleted}`;
}

function dataSql(f: StructField, index: number, mapping: Layout["mapping"]): string {
  const value = columnName(index);
  return mapping === "none" ? value : toLogicalSql(value, f.type);
}

function partitionSql(f: StructField, { mapping, files }: Part): string {
  const name = nameInFiles({ mapping }, f);
  // Many files share few values: each text is decoded once.
  const decoded = new Map<string, string>();
  const values = files.map(({ file }) => {
    const text = file.partitionValues[name] ?? "";
    const known = decoded.get(text) ?? partitionLiteral(text, f);
    decoded.set(text, known);
    return known;
  });
  return perFile(values, duckdbType(f.type));
}

/**
 * An expression with one value for each file: a constant where they agree, so that conditions on it are decided
 * when a query is planned; else an element of a list, whose conditions are decided once a file, not once a row.
 */
function perFile(values: readonly string[], type: string): string {
  const first = values[0] ?? "NULL";
  if (values.every((value) => value === first)) return first;
  return `([${values.join(", ")}]::${type}[])[file_index::BIGINT + 1]`;
}

function indexSql(files: readonly NumberedFile[]): string {
  const first = files[0]?.index ?? 0;
  if (!files.every(({ index }, i) => index === first + i)) {
    return perFile(
      files.map(({ index }) => String(index)),
      "INTEGER",
    );
  }
  return first === 0 ? "file_index::INTEGER" : `(file_index::INTEGER + ${first})`;
}
