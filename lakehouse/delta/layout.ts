/** How the rows of a table are laid out in its files: columns, their names in the files, partitions, sizes. */
import type { Metadata } from "./actions.ts";
import { fieldId, physicalName } from "./mapping.ts";
import type { DataType, StructField, StructType } from "./schema.ts";
import { samePath, type TableInfo } from "./skip/table-info.ts";

export interface Layout {
  readonly schema: StructType;
  /** Logical names, in the order of the folders. */
  readonly partitionColumns: readonly string[];
  /** Files carry other names than the table where this is not `none`. */
  readonly mapping: "none" | "name" | "id";
  /** Bytes that a data file should have; a table's property may say so. */
  readonly targetFileBytes: number;
  /** Columns that get statistics, counted from the first. */
  readonly indexedColumns: number;
}

const TARGET_FILE_BYTES = 128 * 1024 * 1024;
/** Readers expect statistics on the first columns only, by default this many. */
const INDEXED_COLUMNS = 32;

/** The layout that a table's metadata asks of its writers. */
export function layoutOf(
  metadata: Pick<Metadata, "partitionColumns" | "configuration">,
  schema: StructType,
): Layout {
  const { configuration, partitionColumns } = metadata;
  const mode = configuration["delta.columnMapping.mode"];
  const indexed = Number(configuration["delta.dataSkippingNumIndexedCols"] ?? INDEXED_COLUMNS);
  return {
    schema,
    partitionColumns,
    mapping: mode === "name" || mode === "id" ? mode : "none",
    targetFileBytes: byteCount(configuration["delta.targetFileSize"]) ?? TARGET_FILE_BYTES,
    indexedColumns: Number.isInteger(indexed) && indexed >= 0 ? indexed : Number.POSITIVE_INFINITY,
  };
}

/** The layout of a table of these columns, without partitions or properties. */
export function plainLayout(schema: StructType): Layout {
  return layoutOf({ partitionColumns: [], configuration: {} }, schema);
}

/** Fields that stand in the data files; the others stand in their paths. */
export function dataFields(layout: Layout): readonly StructField[] {
  return layout.schema.fields.filter((f) => !layout.partitionColumns.includes(f.name));
}

/** Fields of the partition columns, in the order of the folders. */
export function partitionFields(layout: Layout): readonly StructField[] {
  return layout.partitionColumns.flatMap((name) => layout.schema.fields.find((f) => f.name === name) ?? []);
}

/** The name of a field in files, statistics and partition values. */
export function nameInFiles(layout: Pick<Layout, "mapping">, f: StructField): string {
  return layout.mapping === "none" ? f.name : physicalName(f);
}

/** The Parquet field id that a mapped table asks for. */
export function idInFiles(layout: Pick<Layout, "mapping">, f: StructField): number | undefined {
  return layout.mapping === "none" ? undefined : fieldId(f);
}

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1024,
  kb: 1024,
  m: 1024 ** 2,
  mb: 1024 ** 2,
  g: 1024 ** 3,
  gb: 1024 ** 3,
};

/** `104857600`, `100mb`, `1g` as bytes; undefined for what is none of these. */
function byteCount(text: string | undefined): number | undefined {
  const match = /^(\d+)\s*([a-z]*)$/i.exec(text?.trim() ?? "");
  const unit = UNITS[match?.[2]?.toLowerCase() ?? ""];
  const bytes = Number(match?.[1]) * (unit ?? Number.NaN);
  return bytes > 0 ? bytes : undefined;
}

/** What data skipping must know of a table. */
export function tableInfo(snapshot: { readonly metadata: Metadata; readonly schema: StructType }): TableInfo {
  const { metadata, schema } = snapshot;
  const { mapping, partitionColumns } = layoutOf(metadata, schema);
  return {
    schema,
    partitionColumns,
    physicalPath: mapping === "none" ? samePath : (column) => physicalPath(schema, column),
  };
}

/** The names of a column in the files of a mapped table. */
function physicalPath(schema: StructType, column: readonly string[]): readonly string[] {
  const names: string[] = [];
  let level: DataType = schema;
  for (const name of column) {
    const f: StructField | undefined =
      typeof level !== "string" && level.type === "struct"
        ? level.fields.find((g) => g.name === name)
        : undefined;
    names.push(f === undefined ? name : physicalName(f));
    level = f?.type ?? "string";
  }
  return names;
}
