/** What DuckDB says of files that it could not read, as errors of the table. */

import { IngotError, messageOf, TerminalError } from "../../errors.ts";
import { SHREDDED } from "./variant.ts";

const ABSENT = [
  /No files found that match the pattern "([^"]+)"/,
  /Cannot open file "([^"]+)": No such file or directory/,
  /HTTP GET error on '([^']+)' \(HTTP 404\)/,
  /HTTP 404[^']*'([^']+)'/,
];

/**
 * The error of a query over a table: `DELTA_MISSING_FILE` with its address where a file of the table was gone,
 * anything else as it is.
 */
export function explainReadError(error: unknown, where: string): unknown {
  if (error instanceof IngotError && error.code !== "DUCKDB_SQL") return error;
  const message = messageOf(error);
  if (message.includes(SHREDDED) || message.includes("from type VARIANT")) {
    return new TerminalError(`${where} holds variants of a form that cannot be read (variantType)`, {
      code: "DELTA_UNSUPPORTED_FEATURE",
      value: "variantType",
      allowed: "variants whose files keep them as plain binary parts",
      next: "Read the table with an engine that knows the others.",
      cause: error,
    });
  }
  for (const pattern of ABSENT) {
    const address = pattern.exec(message)?.[1];
    if (address !== undefined) return missingFile(where, address.replace(/\[([[*?])\]/g, "$1"), error);
  }
  return error;
}

/** A data file that the log names is not there. */
export function missingFile(where: string, path: string, cause?: unknown): TerminalError {
  return new TerminalError(`${where} has lost the data file ${path}`, {
    code: "DELTA_MISSING_FILE",
    value: path,
    next: "It was vacuumed or deleted by hand: read a newer version, or restore the file from a backup.",
    cause,
  });
}
