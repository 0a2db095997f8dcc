/** What layers know of a bronze table: its own columns, and the record of its source. */
import { z } from "zod";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";

/** Columns that every bronze table has beside the source's own. Models do not see them. */
export const META = {
  operation: "_ingot_op",
  lsn: "_ingot_lsn",
  transaction: "_ingot_xid",
  ingestedAt: "_ingot_at",
} as const;

export const META_COLUMNS: readonly string[] = Object.values(META);

/** `r` read by a historical load, `u` inserted or updated since, `d` deleted since (only the key is set). */
export type ChangeOperation = "r" | "u" | "d";

/** Domain of the metadata in which a bronze table keeps the position of its source. */
export const SOURCE_DOMAIN = "ingot.source";

const keySchema = z.object({ key: z.array(z.string()) });

/** The columns by which the source of a bronze table names its rows; undefined where it is no bronze table. */
export function sourceKey(snapshot: Snapshot): readonly string[] | undefined {
  const domain = snapshot.domains.get(SOURCE_DOMAIN);
  return domain === undefined ? undefined : keySchema.parse(JSON.parse(domain.configuration)).key;
}
