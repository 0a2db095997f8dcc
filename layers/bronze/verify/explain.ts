/** Differences that are none any more: the lake has taken changes of these rows since the moment of comparison. */
import { addedFiles } from "../../../lakehouse/delta/changes.ts";
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { identifier, identifiers } from "../../../lakehouse/duckdb/quote.ts";
import { META } from "../../definition/bronze-columns.ts";
import { readPosition } from "../position.ts";
import { type Comparison, KIND, PLACE } from "./comparison.ts";
import { DIGEST, rowDigest } from "./source-rows.ts";

/**
 * Takes out of `differences` the rows that `later`, SQL of bronze's changes after the moment, has something of. With a
 * key, any change of it: it carries the row as it is now. Without, as many missing rows as have come since.
 * Answers how many were taken out.
 */
export async function dropChanged(work: Comparison, later: string): Promise<number> {
  const { session, table, columns } = work;
  await session.run(`CREATE OR REPLACE TABLE later AS SELECT * FROM (${later})`);
  const before = await count(work);
  if (table.key.length > 0) {
    const same = table.key.map((name) => `d.${identifier(name)} IS NOT DISTINCT FROM l.${identifier(name)}`);
    const truncated = `EXISTS (FROM later WHERE ${META.operation} = 't')`;
    await session.run(
      `DELETE FROM differences AS d WHERE ${truncated} OR EXISTS (FROM later AS l WHERE ${same.join(" AND ")})`,
    );
  } else {
    const names = identifiers([...columns.fields.map(({ name }) => name), META.rescued]);
    await session.run(`CREATE OR REPLACE TABLE differences AS
      SELECT ${KIND}, ${PLACE}, ${names}
        FROM (SELECT *, row_number() OVER (PARTITION BY ${KIND}, ${DIGEST}) AS _ingot_nth
                FROM (SELECT *, ${rowDigest(work)} AS ${DIGEST} FROM differences))
        LEFT JOIN (SELECT ${rowDigest(work)} AS ${DIGEST}, count(*) AS _ingot_came FROM later WHERE ${META.operation} NOT IN ('d', 't') GROUP BY 1) USING (${DIGEST})
       WHERE ${KIND} <> 'missing' OR _ingot_nth > coalesce(_ingot_came, 0)`);
  }
  return before - (await count(work));
}

/** SQL of the changes that came into bronze between two versions. */
export async function changesBetween({ store }: DeltaTable, from: Snapshot, to: Snapshot): Promise<string> {
  const files = await addedFiles(store, from.version, to.version);
  if (files !== undefined) return scanSql(store, { ...scannable(to), files });
  const all = await scanSql(store, scannable(to));
  return `SELECT * FROM (${all}) WHERE ${META.lsn} > ${readPosition(from)?.lsn ?? 0}`;
}

async function count({ session }: Comparison): Promise<number> {
  const [row] = await session.rows("SELECT count(*) AS rows FROM differences");
  return Number(row?.rows);
}
