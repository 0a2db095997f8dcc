/** Whether a change says which row of bronze it is of. */
import { type IngotError, TerminalError, TransientError } from "../../../lakehouse/errors.ts";
import { FIELD, type Tuple } from "../postgres/replication/pgoutput.ts";
import type { Captured } from "./capture-options.ts";
import type { CapturedTable } from "./captured-table.ts";

/** Refuses a row without a column of the key: nothing could be told from it later. */
export function requireKey({ table, shape }: Captured): void {
  if (shape.lacks?.column === "absent") throw unknownRow(table, `rows without ${shape.lacks.name}`);
}

/**
 * Refuses an update or a deletion that does not name the row that it was: by the key, or without one by all of its
 * columns. What `old` has is up to the partition that the row lies in, whose identity may be another than its table's.
 */
export function requireFormer({ table, shape }: Captured, old: Tuple | undefined): void {
  if (shape.lacks !== undefined) throw unknownRow(table, `former rows without ${shape.lacks.name}`);
  if (shape.key.length === 0) {
    if (old === undefined || old.isKeyOnly) throw notWhole(table);
    return;
  }
  if (old === undefined || !(old.isKeyOnly || !table.bringsWholeRows)) return;
  const missing = shape.key.findIndex((at) => old.kinds[at] === FIELD.null);
  if (missing >= 0) throw unknownRow(table, `former rows without ${table.key[missing]}`);
}

/**
 * What a table, or a partition, was for a while is got over by a comparison with the source; as long as it is so,
 * every change would call for one.
 */
function unknownRow(table: CapturedTable, value: string): IngotError {
  const message = `changes of ${table.source} do not name its key (${table.key.join(", ")})`;
  if (table.namesKey) {
    return new TransientError(message, {
      code: "CAPTURE_UNKNOWN_ROW",
      value,
      allowed: `a replica identity that covers ${table.key.join(", ")}`,
      next: "`ingot verify --repair` compares the tables with their source and goes on behind these changes.",
    });
  }
  return new TerminalError(message, {
    code: "POSTGRES_REPLICA_IDENTITY",
    value,
    allowed: `a replica identity that covers ${table.key.join(", ")}`,
    next: `Make it so at the source and run \`ingot sync\`; or load the table anew: move ${table.task} out of the lake and run \`ingot load\`.`,
  });
}

function notWhole({ source }: CapturedTable): TerminalError {
  return new TerminalError(`a change of ${source} does not bring the row that it was`, {
    code: "POSTGRES_REPLICA_IDENTITY",
    value: "replica identity DEFAULT or INDEX of a table, or of a partition, that is captured without key",
    allowed: "REPLICA IDENTITY FULL on the table and on every partition",
    next: `Set it at the source, for every partition of ${source}; then \`ingot slot --drop\` and \`ingot sync\`.`,
  });
}
