/** Making the actions that say what a table is, and that take a file out of it. */
import { randomUUID } from "node:crypto";
import type { AddFile, Metadata, RemoveFile } from "./actions.ts";
import { assignIds, lastId, MAX_COLUMN_ID } from "./mapping.ts";
import type { StructType } from "./schema.ts";

export interface NewTable {
  readonly name?: string;
  readonly description?: string;
  readonly partitionColumns?: readonly string[];
  readonly configuration?: Readonly<Record<string, string>>;
}

/** The metadata of a table that comes into being at `now`, milliseconds since the epoch. */
export function newMetadata(schema: StructType, now: number, table: NewTable = {}): Metadata {
  return {
    id: randomUUID(),
    ...(table.name === undefined ? {} : { name: table.name }),
    ...(table.description === undefined ? {} : { description: table.description }),
    format: { provider: "parquet", options: {} },
    schemaString: JSON.stringify(schema),
    partitionColumns: [...(table.partitionColumns ?? [])],
    configuration: { ...table.configuration },
    createdTime: now,
  };
}

/** The same table with other columns. */
export function withSchema(metadata: Metadata, schema: StructType): Metadata {
  return { ...metadata, schemaString: JSON.stringify(schema) };
}

/** The tombstone of a live file. `dataChange` is false where its rows stay in the table, in other files. */
export function removeOf(file: AddFile, now: number, dataChange = true): RemoveFile {
  return {
    path: file.path,
    deletionTimestamp: now,
    dataChange,
    extendedFileMetadata: true,
    partitionValues: file.partitionValues,
    size: file.size,
    ...(file.tags === undefined ? {} : { tags: file.tags }),
    ...(file.deletionVector === undefined ? {} : { deletionVector: file.deletionVector }),
  };
}

/** A table's metadata with columns added; a mapped table gives each an id and a name for files. */
export function addColumns(
  metadata: Metadata,
  before: StructType,
  after: StructType,
): { readonly metadata: Metadata; readonly schema: StructType } {
  const mode = metadata.configuration["delta.columnMapping.mode"] ?? "none";
  if (mode === "none") return { metadata: withSchema(metadata, after), schema: after };
  const { schema, maxColumnId } = assignIds(after, lastId(metadata.configuration, before), false);
  const configuration = { ...metadata.configuration, [MAX_COLUMN_ID]: String(maxColumnId) };
  return { metadata: { ...withSchema(metadata, schema), configuration }, schema };
}
