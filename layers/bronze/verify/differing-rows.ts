/**
 * Finds the rows that differ, within ranges whose sums do: the rows of their differing buckets are read from the source
 * and compared with the lake's in DuckDB, both in bronze's columns. What the two engines merely wrote differently for
 * the hash turns out to be equal here.
 */
import { duckdbType } from "../../../lakehouse/delta/schema.ts";
import { identifier, identifiers } from "../../../lakehouse/duckdb/quote.ts";
import { META } from "../../definition/bronze-columns.ts";
import { lakeHash, sourceHash } from "./canonical.ts";
import { lakeState, listBounds } from "./compare-ranges.ts";
import { type ComparedRange, type ComparedRanges, type Comparison, KIND, PLACE } from "./comparison.ts";
import { sourceCondition } from "./ranges.ts";
import { DIGEST, readSourceRows, rowDigest } from "./source-rows.ts";

/**
 * What became of a row: `missing` in the lake; `extra` there, gone at the source; `different`. Of an extra row with key
 * only the key is set in `differences`, else the row is the one to be.
 */
type DifferenceKind = "missing" | "extra" | "different";

/**
 * Fills `differences`, a table of the session: kind, place of the range, the source's columns, what is rescued.
 * Answers the bytes that were read from the source.
 */
export async function findDifferences(work: Comparison, compared: ComparedRanges): Promise<number> {
  const { session, columns } = work;
  const types = columns.fields.map(({ name, type }) => `${identifier(name)} ${duckdbType(type)}`);
  await session.run(
    `CREATE OR REPLACE TABLE differences (${KIND} VARCHAR, ${PLACE} INTEGER, ${types.join(", ")}, ${META.rescued} VARCHAR)`,
  );
  const places = compared.ranges.flatMap(({ buckets }, place) => (buckets.length > 0 ? [place] : []));
  if (places.length === 0) return 0;
  await lakePart(work, compared, places);
  let bytes = 0;
  for (const place of places) {
    const range = compared.ranges[place];
    if (range === undefined) continue;
    bytes += await readSourceRows(work, sourceWhere(work, compared, range));
    await session.run(work.table.key.length > 0 ? byKey(work, place) : byContent(work, place));
  }
  return bytes;
}

/** `lake_part`: the lake's rows of the differing buckets, with the place of their range. */
async function lakePart(
  work: Comparison,
  compared: ComparedRanges,
  places: readonly number[],
): Promise<void> {
  const { session, table, columns } = work;
  const { column, ranges, buckets } = compared;
  const names = table.key.length > 0 ? table.key : [...columns.fields.map((f) => f.name), META.rescued];
  const whole = places.filter((place) => ranges[place]?.buckets === "all");
  const single = places.flatMap((place) => {
    const wanted = ranges[place]?.buckets ?? [];
    return wanted === "all" ? [] : wanted.map((bucket) => place * buckets + bucket);
  });
  const state = `SELECT *, ${lakeHash(columns.columns)} AS _ingot_hash FROM (${lakeState(work)})`;
  let placed = `SELECT *, 0 AS ${PLACE} FROM (${state})`;
  if (column !== undefined) {
    await listBounds(
      work,
      column,
      ranges.map(({ range }) => range),
    );
    placed = `SELECT s.*, coalesce(b.place, 0) AS ${PLACE}
      FROM (${state}) AS s ASOF LEFT JOIN bounds AS b ON s.${identifier(column.name)} >= b.k`;
  }
  await session.run(`CREATE OR REPLACE TABLE lake_part AS
    SELECT ${identifiers(names)}, ${PLACE}, ${rowDigest(work)} AS ${DIGEST} FROM (${placed})
     WHERE ${PLACE} IN (SELECT unnest([${whole.join(", ")}]::INTEGER[]))
        OR ${PLACE} * ${buckets}::BIGINT + (_ingot_hash & ${buckets - 1}) IN (SELECT unnest([${single.join(", ")}]::BIGINT[]))`);
}

function sourceWhere(
  { columns }: Comparison,
  { column, buckets }: ComparedRanges,
  range: ComparedRange,
): string {
  const inside = sourceCondition(column, range.range);
  if (range.buckets === "all") return inside;
  return `${inside} AND (${sourceHash(columns.columns)} & ${buckets - 1}) IN (${range.buckets.join(", ")})`;
}

function byKey({ table, columns }: Comparison, place: number): string {
  const same = table.key.map((name) => `s.${identifier(name)} IS NOT DISTINCT FROM l.${identifier(name)}`);
  const values = columns.fields.map(({ name }) =>
    table.key.includes(name)
      ? `CASE WHEN s.${DIGEST} IS NULL THEN l.${identifier(name)} ELSE s.${identifier(name)} END`
      : `s.${identifier(name)}`,
  );
  return `INSERT INTO differences
    SELECT CASE WHEN l.${DIGEST} IS NULL THEN 'missing' WHEN s.${DIGEST} IS NULL THEN 'extra' ELSE 'different' END, ${place},
           ${values.join(", ")}, s.${META.rescued}
      FROM source_part AS s FULL JOIN (FROM lake_part WHERE ${PLACE} = ${place}) AS l ON ${same.join(" AND ")}
     WHERE s.${DIGEST} IS DISTINCT FROM l.${DIGEST}`;
}

/** Without a key a row is what it holds, and there may be several of it. */
function byContent({ columns }: Comparison, place: number): string {
  const names = identifiers([...columns.fields.map(({ name }) => name), META.rescued]);
  const surplus = (kind: DifferenceKind, ours: string, others: string) =>
    `SELECT '${kind}', ${place}, ${names}
       FROM (SELECT *, row_number() OVER (PARTITION BY ${DIGEST}) AS _ingot_nth FROM (${ours}))
       LEFT JOIN (SELECT ${DIGEST}, count(*) AS _ingot_others FROM (${others}) GROUP BY 1) USING (${DIGEST})
      WHERE _ingot_nth > coalesce(_ingot_others, 0)`;
  const [source, lake] = ["FROM source_part", `FROM lake_part WHERE ${PLACE} = ${place}`];
  return `INSERT INTO differences ${surplus("missing", source, lake)} UNION ALL ${surplus("extra", lake, source)}`;
}
