/** Where a partition's files lie, and how its values stand in the log (PROTOCOL.md, "Partition Value Serialization"). */
import { randomUUID } from "node:crypto";
import { literal } from "../duckdb/quote.ts";
import { messageOf, TerminalError } from "../errors.ts";
import type { StructField } from "./schema.ts";

/** What Hive writes for a folder whose value is null. */
const NULL_FOLDER = "__HIVE_DEFAULT_PARTITION__";
/** A file system takes names of 255 bytes; values are escaped to be part of one. */
const LONGEST_VALUE = 200;
/** What Hive escapes in names of folders, and control characters. */
const HIVE_ESCAPED = /[\p{Cc}"#%'*/:=?\\{[\]^]/gu;

/** SQL that gives the text of a partition value as the log holds it: NULL for null and for empty text. */
export function partitionValueSql(expression: string, f: StructField): string {
  switch (f.type) {
    case "timestamp":
      // The form without zone is read in the reader's own by some; the session's own need not be UTC.
      return finite(f, expression, `strftime(timezone('UTC', ${expression}), '%Y-%m-%dT%H:%M:%S.%fZ')`);
    case "timestamp_ntz":
      return finite(f, expression, `strftime(${expression}, '%Y-%m-%d %H:%M:%S.%f')`);
    case "date":
      return finite(f, expression, `${expression}::VARCHAR`);
    case "string":
      return `CASE WHEN strlen(url_encode(${expression})) > ${LONGEST_VALUE} THEN error(${literal(`${UNFIT}${f.name}:`)} || ${expression}) ELSE nullif(${expression}, '') END`;
    default:
      if (typeof f.type !== "string" || f.type === "binary") throw notPartitionable(f);
      return `${expression}::VARCHAR`;
  }
}

/** An infinite date or time has no form in a partition value. */
function finite(f: StructField, expression: string, text: string): string {
  return `CASE WHEN ${expression} IS NULL OR isfinite(${expression}) THEN ${text} ELSE error(${literal(`${UNFIT}${f.name}:`)} || ${expression}::VARCHAR) END`;
}

function notPartitionable(f: StructField): TerminalError {
  return new TerminalError(`column ${f.name} cannot partition a table`, {
    code: "DELTA_BAD_PARTITION",
    value: typeof f.type === "string" ? f.type : f.type.type,
    allowed: "text, numbers, booleans, dates and timestamps",
    next: "Partition by another column, or by one that is computed from this one.",
  });
}

/** Begins DuckDB's message when a value can be no partition's; column and value follow. */
const UNFIT = "ingot-unfit-partition:";

/** Runs a partitioned write; a value that can name no folder becomes an error that says so. */
export async function checkingPartitions<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const match = new RegExp(`${UNFIT}(.*?):(.*)`, "s").exec(messageOf(cause));
    if (match === null) throw cause;
    throw new TerminalError(`a value of ${match[1]} cannot name a partition`, {
      code: "DELTA_BAD_PARTITION",
      value: (match[2] ?? "").slice(0, 300),
      allowed: `finite dates and times, text of at most ${LONGEST_VALUE} bytes in a URL`,
      next: "Correct the value, or partition by another column or one that is computed from this one.",
      cause,
    });
  }
}

/** The folder of a partition on the store, with `/` at its end; empty for a table without partitions. */
export function partitionFolder(names: readonly string[], values: readonly (string | null)[]): string {
  const parts = names.map((name, i) => `${escapeHive(name)}=${hiveValue(values[i] ?? null)}`);
  // The log says the values; the name of a folder may be any where theirs would be none.
  if (parts.some((part) => Buffer.byteLength(part) > 255)) return `${randomUUID().slice(0, 2)}/`;
  return parts.map((part) => `${part}/`).join("");
}

function hiveValue(value: string | null): string {
  return value === null || value === "" ? NULL_FOLDER : escapeHive(value);
}

function escapeHive(text: string): string {
  return text.replace(HIVE_ESCAPED, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
}

/** A path on the store as an `add` names it: URI-encoded, so that readers decode once. */
export function logPath(path: string): string {
  return path
    .split("/")
    .map((part) => encodeURIComponent(part).replaceAll("%3D", "="))
    .join("/");
}
