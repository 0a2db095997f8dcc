/** Columns that every bronze table has beside the source's own. Models do not see them. */
export const META = {
  operation: "_ingot_op",
  lsn: "_ingot_lsn",
  transaction: "_ingot_xid",
  ingestedAt: "_ingot_at",
  /** Physical address, only in tables without key. */
  address: "_ingot_ctid",
} as const;

export const META_COLUMNS: readonly string[] = Object.values(META);

/** `r` read by a historical load, `u` inserted or updated since, `d` deleted since (only the key is set). */
export type ChangeOperation = "r" | "u" | "d";
