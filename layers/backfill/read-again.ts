/** Compares the rows of a range at the source with those that bronze has of it, and finds what became of each. */
import { duckdbType, type StructField } from "../../lakehouse/delta/schema.ts";
import { identifier, identifiers, literal } from "../../lakehouse/duckdb/quote.ts";
import { lakeState } from "../bronze/verify/compare-ranges.ts";
import { type Comparison, KIND, PLACE } from "../bronze/verify/comparison.ts";
import { DIGEST, readSourceRows, rowDigest } from "../bronze/verify/source-rows.ts";
import { META } from "../definition/bronze-columns.ts";
import { type Interval, partsOf, storedRangeSql } from "./range.ts";

/** Rows that one statement asks for by their keys. */
const MOST_KEYS = 1000;

/** Rows of a range and what was found of them. */
export interface ReadAgain {
  /** Rows that the source has in the range. */
  readonly sourceRows: number;
  readonly bytes: number;
}

/**
 * Fills `differences`, a table of the session, with the rows in which bronze differs from the source. A row may be in
 * the range on one side only as its own value changed: it is looked for by its key on the other.
 */
export async function readAgain(
  work: Comparison,
  { field, readers }: { readonly field: StructField; readonly readers: number },
  range: Interval,
): Promise<ReadAgain> {
  const { session, table, columns } = work;
  const key = identifiers(table.key);
  const types = columns.fields.map(({ name, type }) => `${identifier(name)} ${duckdbType(type)}`);
  const parts = await partsOf(work.target.duckdb, field, range, readers);
  let bytes = await readParts(
    work,
    parts.map((part) => sourceRangeSql(field, part)),
  );
  await session.run(
    `CREATE OR REPLACE TABLE differences (${KIND} VARCHAR, ${PLACE} INTEGER, ${types.join(", ")}, ${META.rescued} VARCHAR);
     CREATE OR REPLACE TABLE lake_range AS
       SELECT *, ${rowDigest(work)} AS ${DIGEST} FROM (${lakeState(work)})
        WHERE (${storedRangeSql(field, range)}) OR (${key}) IN (SELECT (${key}) FROM source_range);
     CREATE OR REPLACE TABLE elsewhere AS SELECT ${key} FROM lake_range ANTI JOIN source_range USING (${key}) ORDER BY ALL`,
  );
  const [counted] = await session.rows(
    "SELECT (SELECT count(*) FROM source_range) AS source, (SELECT count(*) FROM elsewhere) AS elsewhere",
  );
  for (let at = 0; at < Number(counted?.elsewhere); at += MOST_KEYS) {
    bytes += await readSourceRows(work, await keysSql(work, at));
    await session.run("INSERT INTO source_range FROM source_part");
  }
  const same = table.key.map((name) => `s.${identifier(name)} = l.${identifier(name)}`).join(" AND ");
  const values = columns.fields.map(({ name }) =>
    table.key.includes(name)
      ? `coalesce(s.${identifier(name)}, l.${identifier(name)})`
      : `s.${identifier(name)}`,
  );
  await session.run(
    `INSERT INTO differences
       SELECT CASE WHEN l.${DIGEST} IS NULL THEN 'missing' WHEN s.${DIGEST} IS NULL THEN 'extra' ELSE 'different' END, 0,
              ${values.join(", ")}, s.${META.rescued}
         FROM source_range AS s FULL JOIN lake_range AS l ON ${same} WHERE s.${DIGEST} IS DISTINCT FROM l.${DIGEST};
     DROP TABLE source_range; DROP TABLE lake_range; DROP TABLE elsewhere`,
  );
  return { sourceRows: Number(counted?.source), bytes };
}

/** Makes `source_range` of the rows under any of the conditions, each read by a connection of its own. Answers their bytes. */
async function readParts(work: Comparison, conditions: readonly string[]): Promise<number> {
  const { session } = work;
  const others = await Promise.all(conditions.slice(1).map(() => work.target.duckdb.session()));
  try {
    const sessions = [session, ...others];
    const read = await Promise.allSettled(
      sessions.map((own, i) => readSourceRows({ ...work, session: own }, conditions[i] ?? "false")),
    );
    const failed = read.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    const rows = sessions.map((own) => `FROM ${own.nameOf("source_part")}`);
    await session.run(`CREATE OR REPLACE TABLE source_range AS ${rows.join(" UNION ALL ")}`);
    return read.reduce((sum, outcome) => sum + (outcome.status === "fulfilled" ? outcome.value : 0), 0);
  } finally {
    await Promise.all(others.map((own) => own.close()));
  }
}

/** Condition of Postgres. */
export function sourceRangeSql({ name }: Pick<StructField, "name">, { from, to }: Interval): string {
  return `(${identifier(name)} >= ${literal(from)} AND ${identifier(name)} < ${literal(to)})`;
}

/** Condition of Postgres on some of the keys that were not found in the range. */
async function keysSql({ session, table, columns }: Comparison, at: number): Promise<string> {
  const bytes = new Set(columns.fields.flatMap(({ name, type }) => (type === "binary" ? name : [])));
  const texts = table.key.map((name, i) =>
    bytes.has(name) ? `'\\x' || hex(${identifier(name)}) AS k${i}` : `${identifier(name)}::VARCHAR AS k${i}`,
  );
  const rows = await session.rows(
    `SELECT ${texts.join(", ")} FROM (FROM elsewhere ORDER BY ALL LIMIT ${MOST_KEYS} OFFSET ${at})`,
  );
  const tuples = rows.map((row) =>
    table.key.map((name, i) => `${identifier(name)} = ${literal(String(row[`k${i}`]))}`),
  );
  return `(${tuples.map((equal) => `(${equal.join(" AND ")})`).join(" OR ")})`;
}
