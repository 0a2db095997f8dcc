import type { PublishedForm } from "../../layers/definition/published.ts";
import { type Publication, type RowBatch, versionToken } from "../../layers/publish/target.ts";

interface Given {
  readonly version: number;
  /** Milliseconds; when the gold table was created. */
  readonly created?: number;
  readonly form?: PublishedForm;
  readonly rows?: readonly Readonly<Record<string, unknown>>[];
  readonly expiresAt?: string;
  readonly fingerprint?: string;
  readonly key?: string;
  /** Called before each batch, in which a test can do what it wants. */
  readonly before?: () => Promise<unknown>;
}

const COLUMNS = [
  { name: "i", type: "INTEGER" },
  { name: "version", type: "INTEGER" },
  { name: "filler", type: "VARCHAR" },
];

/** Rows that all carry their version's number, so that a mixture would show. */
export const rowsOf = (version: number, count = 50) =>
  Array.from({ length: count }, (_, i) => ({ i, version, filler: "x".repeat(100) }));

/** A publication of rows with the columns i, version and filler; keyed by `i` where the form has keys. */
export function publicationOf(set: string, given: Given): Publication {
  const { version, created = 1, form = { kind: "list" }, expiresAt, key } = given;
  const { fingerprint = JSON.stringify(form) } = given;
  const rows = given.rows ?? rowsOf(version);
  return {
    set,
    token: versionToken(created, version),
    version,
    publishedAt: new Date(0).toISOString(),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    source: { "bronze.orders": { version: 7, lsn: "0/16B3748", at: "2026-01-01T00:00:00.000Z" } },
    form,
    fingerprint,
    key,
    columns: COLUMNS,
    rows: async function* (): AsyncGenerator<RowBatch, void, undefined> {
      for (let start = 0; start < rows.length; start += 20) {
        await given.before?.();
        const part = rows.slice(start, start + 20);
        yield {
          json: part.map((row) => JSON.stringify(row)),
          ids: part.map((row) => String(row.i)),
          scores: part.map((row) => Number(row.i)),
          values: part.map((row) => String(row.version)),
        };
      }
    },
  };
}
