/** Where the load of a table begins: at its beginning, or where an earlier one was interrupted. */
import { duckdbType, type StructType } from "../../../lakehouse/delta/schema.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import type { TableWork } from "../ingestion.ts";
import { checkPosition, type Position, readPosition } from "../position.ts";
import type { SourceMoment } from "../postgres/snapshot.ts";
import { bronzeSchema } from "../schema.ts";
import type { Extent } from "./extent.ts";
import { changedSince } from "./load-state.ts";
import type { LoadStart } from "./table-load.ts";

export interface StartOptions {
  readonly changes: "query" | "wal";
  /** Whether an interrupted load is gone on with. */
  readonly resume: boolean;
}

/** Plans the load of a table that is not, or not wholly, in bronze. */
export function startOf(
  work: TableWork,
  extent: Extent,
  moment: SourceMoment,
  { changes, resume }: StartOptions,
): LoadStart {
  const state = { changes, mixed: false };
  const from = readPosition(work.base);
  if (work.base === undefined || from?.load === undefined) return { done: {}, moment, state };
  if (resume) checkPosition(from, moment, work.path);
  const why = resume ? notResumable(work, work.base, from, extent, changes) : "as asked";
  if (why !== undefined) {
    return { done: {}, moment, state, removes: [...work.base.files.values()], note: `begun anew: ${why}` };
  }
  return {
    done: from.load,
    // Changes are looked for since the first moment. A capture puts them in order by LSN; without one, the next sync
    // takes all of them as later than every row that was read.
    moment: changes === "wal" ? from : { ...from, lsn: Math.max(from.lsn, moment.lsn) },
    state: { changes, mixed: true },
    note: "resumed",
  };
}

/** Why what is in bronze cannot be gone on with. */
function notResumable(
  { table }: TableWork,
  base: Snapshot,
  from: Position,
  extent: Extent,
  changes: "query" | "wal",
): string | undefined {
  if (from.changes !== changes) return "changes are found in another way now";
  if (from.key.join() !== table.key.join()) return "its key changed";
  if (shapeOf(base.schema) !== shapeOf(bronzeSchema(table))) return "its columns changed";
  return changedSince(from.load ?? {}, extent.leaves);
}

const shapeOf = (schema: StructType) =>
  schema.fields
    .map((f) => `${f.name} ${duckdbType(f.type)}`)
    .sort()
    .join();
