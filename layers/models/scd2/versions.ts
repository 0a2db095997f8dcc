/**
 * The versions that changes make, as SQL. In the order of the source's history, what each change leaves is compared with
 * what was there before: where they differ, a version ends and the next begins. Of the changes that one transaction
 * makes to a row, only the last was ever seen by others. Time does not go back: where clocks do, or stand still, a
 * version begins a microsecond after the one before, so that none is lost. All that is needed to go on is then in
 * the newest version of a row, which is why a table that was kept equals one that was made anew.
 */
import { duckdbType } from "../../../lakehouse/delta/schema.ts";
import type { DuckDb } from "../../../lakehouse/duckdb/duckdb.ts";
import { identifier, literal } from "../../../lakehouse/duckdb/quote.ts";
import { META } from "../../definition/bronze-columns.ts";
import { VALID_FROM, VALID_TO } from "../../definition/model-columns.ts";
import { contractSchema } from "../contract.ts";
import { dropsRows, PLACE, placedSql } from "../placed-query.ts";
import type { Model } from "../planned-model.ts";
import { HELD } from "../quarantine/hold.ts";
import { historyKey } from "./check-history.ts";
import { CHANGES } from "./placed-changes.ts";
import type { SetAside } from "./set-aside.ts";

/** In DuckDB's message where a row has another key than the change that it is made of. */
export const OTHER_KEY = "ingot: a row under another key";

export interface VersionSources {
  /** Relation of the newest version of each row that the changes are about; undefined where there are none yet. */
  readonly former: string | undefined;
  /** Whether truncations are among the changes. */
  readonly truncated: boolean;
  /** Where some changes are set aside: the others. */
  readonly aside?: SetAside | undefined;
}

/** Versions in the columns of the contract: those that `changes` make, and the former ones that these go on from. */
export async function versionsSql(
  duckdb: DuckDb,
  model: Model,
  { former, truncated, aside }: VersionSources,
): Promise<string> {
  const key = historyKey(model);
  const { fields } = contractSchema(model.contract);
  const keys = key.map((_, i) => `k${i}`).join(", ");
  const given = fields.filter(({ name }) => name !== VALID_FROM && name !== VALID_TO);
  const others = given.filter(({ name }) => !key.includes(name));
  const typeOf = (name: string) => duckdbType(given.find((f) => f.name === name)?.type ?? "string");
  const state =
    others.length === 0 ? "{'a0': 0}" : packed(others.map((f) => typed(f.name, duckdbType(f.type))));
  const isOwn = key.map((name, i) => `${typed(name, typeOf(name))} IS NOT DISTINCT FROM ${PLACE}.k${i}`);
  const ofPlace = [
    ...key.map((_, i) => `${PLACE}.k${i}`),
    `${PLACE}.lsn`,
    `${PLACE}.seq`,
    `${PLACE}.us`,
  ].join(", ");
  // A change of which the query makes no row leaves none, as a deletion does.
  const absent = (await dropsRows(duckdb, model)) ? `${META.operation} <> 't'` : `${META.operation} = 'd'`;
  const parts = [
    `SELECT ${ofPlace}, true AS present, ${state} AS state, false AS is_former FROM (${aside?.rows ?? (await placedSql(duckdb, model))}\n)
       WHERE CASE WHEN ${isOwn.join(" AND ")} THEN true ELSE error(${literal(OTHER_KEY)}) END`,
    `SELECT ${ofPlace}, false, NULL, false FROM ${CHANGES} WHERE ${absent}`,
    ...(aside === undefined ? [] : [`SELECT ${ofPlace}, false, NULL, false FROM ${HELD}`]),
    ...(truncated ? [truncationSql(keys, ofPlace)] : []),
    ...(former === undefined ? [] : [formerSql(former, key, state)]),
  ];
  const columns = fields.map(({ name }) => {
    const value = valueSql(
      name,
      key.indexOf(name),
      others.findIndex((f) => f.name === name),
    );
    return `${value} AS ${identifier(name)}`;
  });
  const ordered = `PARTITION BY ${keys} ORDER BY lsn, seq`;
  return `WITH events(${keys}, lsn, seq, us, present, state, is_former) AS (${parts.join(" UNION ALL ")}),
    settled AS (SELECT * FROM events WHERE ${key.map((_, i) => `k${i} IS NOT NULL`).join(" AND ")}
      QUALIFY row_number() OVER (PARTITION BY ${keys}, lsn, seq > 0 ORDER BY seq DESC, present DESC) = 1),
    starts AS (SELECT * FROM settled QUALIFY is_former OR present <> coalesce(lag(present) OVER (${ordered}), false)
      OR state IS DISTINCT FROM lag(state) OVER (${ordered})),
    numbered AS (SELECT *, row_number() OVER (${ordered}) AS n FROM starts),
    timed AS (SELECT *, n + max(us - n) OVER (${ordered} ROWS UNBOUNDED PRECEDING) AS begins FROM numbered),
    ended AS (SELECT *, lead(begins) OVER (${ordered}) AS ends FROM timed)
    SELECT ${columns.join(", ")} FROM ended WHERE present`;
}

const typed = (name: string, type: string) => `CAST(${identifier(name)} AS ${type})`;
const packed = (values: readonly string[]) =>
  `struct_pack(${values.map((value, i) => `a${i} := ${value}`).join(", ")})`;

function valueSql(name: string, ofKey: number, ofState: number): string {
  if (name === VALID_FROM) return "make_timestamptz(begins)";
  if (name === VALID_TO) return "make_timestamptz(ends)";
  return ofKey >= 0 ? `k${ofKey}` : `state.a${ofState}`;
}

/** The end of each row at the first truncation after a change of it: a later one finds nothing. */
const truncationSql = (keys: string, ofPlace: string) =>
  `SELECT DISTINCT ${keys}, t.lsn, t.seq, t.us, false, NULL, false
     FROM (SELECT ${ofPlace} FROM ${CHANGES} WHERE ${META.operation} <> 't') c(${keys}, lsn, seq, us)
     JOIN (SELECT lsn, seq, us, coalesce(lag((lsn, seq)) OVER (ORDER BY lsn, seq), (-1::BIGINT, -1::BIGINT)) AS before
             FROM (SELECT DISTINCT ${PLACE}.lsn, ${PLACE}.seq, ${PLACE}.us FROM ${CHANGES} WHERE ${META.operation} = 't')) t
       ON (c.lsn, c.seq) < (t.lsn, t.seq) AND (c.lsn, c.seq) > t.before`;

/** The newest versions as they are: an open one goes on, after a closed one there is nothing. */
function formerSql(former: string, key: readonly string[], state: string): string {
  const keys = key.map(identifier).join(", ");
  const [from, to] = [identifier(VALID_FROM), identifier(VALID_TO)];
  return `SELECT ${keys}, -1, 0, epoch_us(coalesce(${to}, ${from})), ${to} IS NULL,
    CASE WHEN ${to} IS NULL THEN ${state} END, true FROM ${former}`;
}
