import type { Publication, PublishedRow } from "../../layers/publish/target.ts";
import { publicationOf } from "./publications.ts";

export const SETS = ["shop/list", "shop/lookup"] as const;

/** Rows that say of which version they are: some of every version, others of every fifth. */
const chaosRows = (version: number) =>
  Array.from({ length: 40 }, (_, i) => ({ i, version: expectedVersion(i, version), filler: "x".repeat(50) }));

const expectedVersion = (i: number, version: number): number =>
  i < 10 ? version : Math.floor(version / 5) * 5;

export const chaosPublication = (set: string, version: number): Publication =>
  publicationOf(set, {
    version,
    rows: chaosRows(version),
    form: set === "shop/lookup" ? { kind: "lookup", by: ["i"] } : { kind: "list" },
  });

/** Whether these are all rows of that version and no others. */
export const isWhole = (version: number, rows: readonly PublishedRow[]): boolean =>
  rows.length === 40 && rows.every((row) => row.version === expectedVersion(Number(row.i), version));
