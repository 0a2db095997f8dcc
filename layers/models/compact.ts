/** Every increment leaves a small file; many of them would make each read of the table slower than the last. */
import { optimizeTable } from "../../lakehouse/delta/maintain/optimize.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";

/** Files below so many bytes are combined, once there are so many of them. */
const SMALL_BYTES = 4 * 1024 * 1024;
const MOST_SMALL = 32;

/**
 * Combines the small files of a table where there are many, in a commit of its own that changes no row. What it writes
 * again is bounded by the size of small files, whatever the table weighs; the increments between pay it together.
 */
export async function compactSmallFiles(table: DeltaTable, { files }: Snapshot): Promise<void> {
  let small = 0;
  for (const { size } of files.values()) if (size < SMALL_BYTES) small += 1;
  if (small > MOST_SMALL) await optimizeTable(table, { smallerThan: SMALL_BYTES });
}
