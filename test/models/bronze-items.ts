/** A bronze table that tests write change by change, and the history that these changes make, computed one by one. */
import { field } from "../../lakehouse/delta/schema.ts";
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import type { Lake } from "../../lakehouse/lake.ts";
import { META_FIELDS, SOURCE_DOMAIN } from "../../layers/definition/bronze-columns.ts";
import { writeRows } from "../support/rows.ts";

/** What a row has beside its key; `name` null and `skip` are left out by the model's SQL. */
export interface Item {
  readonly name: string | null;
  readonly amount: number | null;
}

export interface ItemChange {
  readonly op: "r" | "i" | "u" | "d" | "t";
  readonly id: number;
  readonly item: Item;
  readonly lsn: number;
  readonly seq: number;
  /** Microseconds since 1970. */
  readonly us: number;
}

/** A name that has to be quoted, and one that has a keyword's. */
export const KEY = ['a"b', "order"] as const;

const SCHEMA = {
  type: "struct" as const,
  fields: [
    field(KEY[0], "decimal(9,2)"),
    field(KEY[1], "date"),
    field("name", "string"),
    field("amount", "double"),
    ...META_FIELDS,
  ],
};

/** The key of a row: two ids share a decimal, two a day. */
export const keyOf = (id: number) => [`${Math.floor(id / 2)}.50`, `2024-03-0${1 + (id % 2)}`] as const;

const text = (value: string | null) => (value === null ? "NULL" : `'${value}'`);

function rowSql({ op, id, item, lsn, seq, us }: ItemChange): string {
  const [amount, day] = keyOf(id);
  const key = op === "t" ? ["NULL", "NULL"] : [amount, `DATE '${day}'`];
  const values =
    op === "t" || op === "d" ? ["NULL", "NULL"] : [text(item.name), String(item.amount ?? "NULL")];
  const at = `make_timestamptz(${us}::BIGINT)`;
  // What was read has no time of a commit; what was captured was taken later.
  const times = seq === 0 ? ["NULL", at] : [at, "make_timestamptz(1900000000000000)"];
  return `(${[...key, ...values, `'${op}'`, lsn, seq, "NULL", ...times, "NULL"].join(", ")})`;
}

export async function writeItems(lake: Lake, duckdb: DuckDb, changes: readonly ItemChange[]): Promise<void> {
  const names = SCHEMA.fields.map(({ name }) => `"${name.replaceAll('"', '""')}"`).join(", ");
  const configuration = JSON.stringify({ key: KEY });
  const none = { op: "t", id: 0, item: { name: null, amount: null }, lsn: 0, seq: 0, us: 0 } as const;
  const rows = (changes.length === 0 ? [none] : changes).map(rowSql).join(", ");
  await writeRows(
    duckdb,
    lake.table("shop/bronze/items"),
    `SELECT * FROM (VALUES ${rows}) v(${names}) WHERE ${changes.length > 0}`,
    { schema: SCHEMA, domains: [{ domain: SOURCE_DOMAIN, configuration, removed: false }] },
  );
}

export interface Version extends Item {
  readonly id: number;
  /** Microseconds since 1970. */
  readonly from: number;
  readonly to: number | null;
}

/** Others see what a transaction left. */
const isHidden = ({ lsn, seq }: ItemChange, next: ItemChange | undefined) =>
  seq > 0 && next?.lsn === lsn && next.seq > 0;

const isGone = ({ op, item }: ItemChange) =>
  op === "d" || op === "t" || item.name === null || item.name === "skip";

type Verdict = (item: Item) => boolean;

/** The changes in the order of the source's history by the row that they are about; truncations are about all. */
function byRow(changes: readonly ItemChange[]): { id: number; own: ItemChange[] }[] {
  const inOrder = [...changes].sort((a, b) => a.lsn - b.lsn || a.seq - b.seq);
  const ids = [...new Set(changes.flatMap(({ op, id }) => (op === "t" ? [] : [id])))];
  return ids.map((id) => ({ id, own: inOrder.filter((change) => change.op === "t" || change.id === id) }));
}

/** The changes that others have seen and whose rows break the contract, each once. */
export function brokenOf(changes: readonly ItemChange[], breaks: Verdict): ItemChange[] {
  return byRow(changes).flatMap(({ own }) =>
    own.filter((change, i) => {
      const next = own[i + 1];
      const isAgain = next?.lsn === change.lsn && next.seq === change.seq;
      return !isHidden(change, next) && !isAgain && !isGone(change) && breaks(change.item);
    }),
  );
}

/** The versions of all rows: each change in its turn, as one would by hand; a row that `breaks` is as one that is gone. */
export function historyOf(changes: readonly ItemChange[], breaks: Verdict = () => false): Version[] {
  return byRow(changes).flatMap(({ id, own }) => {
    const versions: Version[] = [];
    let last = Number.NEGATIVE_INFINITY;
    own.forEach((change, i) => {
      if (isHidden(change, own[i + 1])) return;
      const state = isGone(change) || breaks(change.item) ? undefined : change.item;
      const newest = versions.at(-1);
      const open = newest?.to === null ? newest : undefined;
      if (open?.name === state?.name && open?.amount === state?.amount) return;
      last = Math.max(change.us, last + 1);
      if (open) versions[versions.length - 1] = { ...open, to: last };
      if (state) versions.push({ id, ...state, from: last, to: null });
    });
    return versions;
  });
}
