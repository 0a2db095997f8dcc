/** Types of partition columns, declared or inferred from folder names, and the text of their values in the log. */
import { TerminalError } from "../../../errors.ts";
import { field, type StructField } from "../../schema.ts";
import { decodePartitionValue, encodePartitionValue } from "../../skip/partition-value.ts";
import type { ParquetFile, ParquetFolder } from "./parquet-folder.ts";

/** Tried in this order. Text that would not come back the same, such as 007, stays text. */
const INFERRED = ["integer", "long", "date"];

/**
 * The partition columns of a folder. `declared`: Delta types by column; what is not declared is inferred from all
 * values. Rejects columns that no folder name has.
 */
export function partitionFieldsOf(
  { files, partitionColumns }: ParquetFolder,
  declared: Readonly<Record<string, string>>,
): StructField[] {
  const unknown = Object.keys(declared).find((name) => !partitionColumns.includes(name));
  if (unknown !== undefined) {
    throw new TerminalError(`no folder is named by column ${unknown}`, {
      code: "DELTA_BAD_PARTITION",
      value: unknown,
      allowed: partitionColumns.join(", ") || "no partition columns: there are no folders k=v",
    });
  }
  return partitionColumns.map((name) => field(name, declared[name] ?? inferred(name, files)));
}

function inferred(name: string, files: readonly ParquetFile[]): string {
  const values = new Set(files.map(({ partition }) => partition.get(name) ?? null));
  const fits = (type: string) =>
    [...values].every((text) => {
      const value = text === null ? null : decodePartitionValue(text, type);
      return value !== undefined && encodePartitionValue(value, type) === text;
    });
  const isKnown = [...values].some((text) => text !== null);
  return (isKnown ? INFERRED.find(fits) : undefined) ?? "string";
}

/** A file's `partitionValues`. Rejects a folder name that the column's type cannot hold. */
export function partitionValues(
  file: ParquetFile,
  fields: readonly StructField[],
): Record<string, string | null> {
  const entries = fields.map(({ name, type }) => {
    const text = file.partition.get(name) ?? null;
    const value = typeof type === "string" ? decodePartitionValue(text, type) : undefined;
    if (value === undefined || typeof type !== "string") {
      throw new TerminalError(`the folder of ${file.path} has no value for column ${name}`, {
        code: "DELTA_BAD_PARTITION",
        value: text,
        allowed: `a value of type ${typeof type === "string" ? type : type.type}`,
        next: "Declare another type for the column, or rename the folder.",
      });
    }
    return [name, encodePartitionValue(value, type)];
  });
  return Object.fromEntries(entries);
}
