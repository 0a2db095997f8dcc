/** How the files of a scan fall into parts that are read by one `read_parquet` each. */
import type { AddFile } from "../actions.ts";

/** A file with its place among all files of the scan. */
export interface NumberedFile {
  readonly file: AddFile;
  readonly index: number;
}

/**
 * With so few combinations of partition values each is a part of its own: conditions on them drop whole parts before
 * a file is opened. Planning a part takes about a millisecond in every query, so that more do not pay.
 */
const MOST_PARTITIONS = 16;

/**
 * The files of each part, in their order. Files with and without deletion vectors are never in one part, so that a
 * join with deleted rows costs only where rows are deleted. `columns`: names of partition columns in the log.
 */
export function divide(files: readonly AddFile[], columns: readonly string[]): NumberedFile[][] {
  const numbered = files.map((file, index) => ({ file, index }));
  const isMarked = ({ file }: NumberedFile) => (file.deletionVector?.cardinality ?? 0) > 0;
  const byPartition = group(numbered, ({ file }) =>
    JSON.stringify(columns.map((c) => file.partitionValues[c] ?? "")),
  );
  const partitions = byPartition.length <= MOST_PARTITIONS ? byPartition : [numbered];
  return partitions.flatMap((partition) => group(partition, isMarked));
}

function group<T>(items: readonly T[], keyOf: (item: T) => unknown): T[][] {
  const groups = new Map<unknown, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const found = groups.get(key);
    if (found === undefined) groups.set(key, [item]);
    else found.push(item);
  }
  return [...groups.values()];
}
