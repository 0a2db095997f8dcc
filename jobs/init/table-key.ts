/** Which columns name a table's rows, and which column says what is new. */
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import type { FoundTable } from "./read-tables.ts";

/** How changes are found. */
export type Changes = "wal" | "query";

export interface TableKey {
  /** Empty where nothing names a row. */
  readonly columns: readonly string[];
  readonly isPrimary: boolean;
  /** Why there is none, or what to know of it. */
  readonly note?: string;
}

/** The primary key, else a unique index that can take its place, else none. */
export function keyOf(table: FoundTable, changes: Changes): TableKey {
  if (table.inherited) {
    return noKey("other tables inherit from it, and their rows, which it shows, may repeat its key");
  }
  const candidates = table.indexes.filter(({ primary, names }) => primary || names);
  const covered =
    changes === "query" ? candidates : candidates.filter(({ columns }) => isSent(table, columns));
  const index = covered.find(({ primary }) => primary) ?? covered[0];
  if (index !== undefined) return { columns: index.columns, isPrimary: index.primary };
  if (candidates.length > 0) {
    return noKey(
      `its replica identity does not cover its key, so changes do not name the row: ALTER TABLE ${named(table)} REPLICA IDENTITY FULL`,
    );
  }
  if (changes === "query")
    return noKey("no unique index over columns that are never null. Its rows must never be updated");
  if (identified(table)) return noKey("no unique index over columns that are never null");
  return noKey(
    `no replica identity either, so only inserts are captured: ALTER TABLE ${named(table)} REPLICA IDENTITY FULL`,
  );
}

const named = ({ schema, name }: FoundTable) => `${identifier(schema)}.${identifier(name)}`;

const noKey = (note: string): TableKey => ({ columns: [], isPrimary: false, note });

/** Whether updates and deletions name the row that was: Postgres publishes them only then. */
export function identified(table: FoundTable): boolean {
  return table.identity === "f" || identityIndex(table) !== undefined;
}

/** Whether a deletion carries these columns; generated ones are not sent. */
function isSent(table: FoundTable, columns: readonly string[]): boolean {
  if (table.columns.some(({ name, generated }) => generated && columns.includes(name))) return false;
  if (table.identity === "f") return true;
  const sent = identityIndex(table)?.columns ?? [];
  return columns.every((name) => sent.includes(name));
}

function identityIndex({ identity, indexes }: FoundTable) {
  if (identity === "d") return indexes.find(({ primary, immediate }) => primary && immediate);
  return identity === "i" ? indexes.find((index) => index.identity) : undefined;
}

/** Names that a column has which every change of its row moves forward. */
const MOVED =
  /^(last_?)?(updated|modified|changed|update|modify|change)(_?(at|on|time|timestamp|date|ts))?$/i;

/** An indexed moment that every change moves forward, by its name; nothing else can tell. */
export function cursorOf({ columns, indexes }: FoundTable): string | undefined {
  const leading = new Set(indexes.map((index) => index.columns[0]));
  const found = columns.find(
    ({ name, base, builtIn, required }) =>
      MOVED.test(name) && builtIn && base === "timestamptz" && required && leading.has(name),
  );
  return found?.name;
}
