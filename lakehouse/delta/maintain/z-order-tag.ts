/** How a file says that it was written in z-order; a second optimise by the same columns leaves it alone. */
import type { AddFile } from "../actions.ts";

const TAG = "ingot.zOrderBy";

/** The tags of a file whose rows are in z-order of these columns, by their names in files. */
export function clusteredBy(columns: readonly string[]): Readonly<Record<string, string>> {
  return { [TAG]: JSON.stringify(columns) };
}

export function isClustered(file: AddFile, columns: readonly string[]): boolean {
  return file.tags?.[TAG] === JSON.stringify(columns);
}
