/** Convert: a folder of Parquet files becomes a table in place. One commit names the files; no data is rewritten. */
import { TerminalError } from "../../errors.ts";
import { ignoreProgress, type ProgressListener } from "../../progress.ts";
import type { AddFile } from "../actions.ts";
import { definition } from "../create.ts";
import { layoutOf } from "../layout.ts";
import { logPath } from "../partition-path.ts";
import { featuresFor } from "../properties.ts";
import { protocolWith } from "../protocol.ts";
import { fileAddresses } from "../scan.ts";
import type { StructField, StructType } from "../schema.ts";
import { countRows } from "../stats.ts";
import type { DeltaTable } from "../table.ts";
import { listParquet } from "./convert/parquet-folder.ts";
import { type ParquetSource, unionSchema } from "./convert/parquet-schema.ts";
import { footerStats } from "./convert/parquet-stats.ts";
import { partitionFieldsOf, partitionValues } from "./convert/partition-types.ts";

export interface ConvertOptions {
  /** Delta types of partition columns, such as `{ day: "date" }`; others are inferred from the folder names. */
  readonly partitionTypes?: Readonly<Record<string, string>>;
  /** Table properties. */
  readonly properties?: Readonly<Record<string, string>>;
  readonly description?: string;
  readonly onProgress?: ProgressListener;
}

export interface ConvertResult {
  readonly files: number;
  readonly bytes: number;
  readonly rows: number;
  readonly schema: StructType;
  readonly partitionColumns: readonly string[];
  /** Files of the folder that are no Parquet: not part of the table, and the first vacuum deletes them. */
  readonly others: readonly string[];
}

/**
 * Makes version 0 of a table from the Parquet files below its folder, Hive's partition folders among them. Rejects
 * with `DELTA_TABLE_EXISTS` where there is a table. Nobody may write to the folder meanwhile: a file that comes after
 * the listing is not part of the table.
 */
export async function convertToDelta(
  table: DeltaTable,
  options: ConvertOptions = {},
): Promise<ConvertResult> {
  const { onProgress = ignoreProgress, properties = {}, description } = options;
  if ((await table.snapshot()) !== undefined) throw tableExists(table);
  refuseMapping(properties);
  const task = "convert";
  onProgress({ task, state: "running", note: "listing files" });
  const folder = await listParquet(table.store);
  const partitions = partitionFieldsOf(folder, options.partitionTypes ?? {});
  const files: AddFile[] = folder.files.map((file) => ({
    path: logPath(file.path),
    partitionValues: partitionValues(file, partitions),
    size: file.size,
    modificationTime: Math.floor(file.modifiedAt),
    dataChange: true,
  }));
  const sources = await openable(table, files);
  onProgress({ task, state: "running", note: `reading the footers of ${files.length} files` });
  const columns = withPartitions(await unionSchema(table.duckdb, sources), partitions);
  const about = { schema: columns, partitionBy: folder.partitionColumns, properties };
  const { metadata, schema } = definition(
    description === undefined ? about : { ...about, description },
    table.now(),
  );
  const stats = await footerStats(table.duckdb, sources, layoutOf(metadata, schema));
  const adds = files.map((file, i) => {
    const text = stats.get(sources[i]?.address ?? "");
    return text === undefined ? file : { ...file, stats: text };
  });
  const outcome = await table.commit({
    base: undefined,
    operation: "CONVERT",
    operationParameters: {
      numFiles: adds.length,
      partitionedBy: folder.partitionColumns,
      collectStats: "true",
    },
    operationMetrics: { numConvertedFiles: String(adds.length) },
    actions: [
      { protocol: protocolWith(featuresFor(metadata.configuration, schema)) },
      { metaData: metadata },
      ...adds.map((add) => ({ add })),
    ],
    reads: "table",
  });
  if (outcome.status === "lost") throw tableExists(table);
  const bytes = adds.reduce((sum, file) => sum + file.size, 0);
  onProgress({ task, state: "done", bytes, note: `${adds.length} files` });
  const { partitionColumns, others } = folder;
  return { files: adds.length, bytes, rows: countRows(adds), schema, partitionColumns, others };
}

async function openable(table: DeltaTable, files: readonly AddFile[]): Promise<ParquetSource[]> {
  const addresses = await fileAddresses(table.store, { files });
  return files.map(({ path }, i) => ({ path: decodeURIComponent(path), address: addresses[i] ?? "" }));
}

/** Partition columns come last. A copy of one in the files is not read: the folder's name counts. */
function withPartitions({ fields }: StructType, partitions: readonly StructField[]): StructType {
  const named = new Set(partitions.map((f) => f.name.toLowerCase()));
  return {
    type: "struct",
    fields: [...fields.filter((f) => !named.has(f.name.toLowerCase())), ...partitions],
  };
}

function tableExists({ store }: DeltaTable): TerminalError {
  return new TerminalError(`${store.root} is a Delta table already`, {
    code: "DELTA_TABLE_EXISTS",
    value: store.root,
    allowed: "a folder of Parquet files without _delta_log",
    next: "Use it as it is.",
  });
}

/** A mapped table's files carry names and ids that these do not have; it can be switched on afterwards. */
function refuseMapping(properties: Readonly<Record<string, string>>): void {
  const mode = properties["delta.columnMapping.mode"] ?? "none";
  if (mode === "none") return;
  throw new TerminalError("a table that is converted cannot have mapped columns from the start", {
    code: "DELTA_BAD_PROPERTY",
    value: mode,
    allowed: "none",
    next: "Convert first, then set delta.columnMapping.mode to name.",
  });
}
