/** A table beside a plain DuckDB table that gets the same statements: the two must stay equal. */
import fc from "fast-check";
import type { MergeSpec } from "../../lakehouse/delta/change/merge-spec.ts";
import type { Session } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier } from "../../lakehouse/duckdb/quote.ts";

/** Conditions over the columns k, v, s, p; three-valued ones among them. */
export const conditions = fc.oneof(
  fc.integer({ min: 0, max: 12 }).map((n) => `k = ${n}`),
  fc.integer({ min: 0, max: 12 }).map((n) => `k < ${n}`),
  fc.integer({ min: -3, max: 3 }).map((n) => `v > ${n}`),
  fc.constantFrom(
    "v IS NULL",
    "s = 'b'",
    "p = 'x/y'",
    "p IS NULL",
    "k % 3 = 1 OR v = 2",
    "NOT (v < 1)",
    "s LIKE 'a%'",
  ),
);

const value = fc.option(fc.integer({ min: -3, max: 3 }), { freq: 4 });
const text = fc.option(fc.constantFrom("a", "b", "a'b", "ü", "%"), { freq: 5 });
const partition = fc.option(fc.constantFrom("x/y", "b c", "100%", "ä=1"), { freq: 4 });

/** SQL of up to `most` rows of k, v, s, p; keys may repeat, and be null. */
export const rowsSql = (most: number) =>
  fc
    .array(fc.tuple(fc.option(fc.integer({ min: 0, max: 12 }), { freq: 8 }), value, text, partition), {
      maxLength: most,
    })
    .map((rows) => relationSql(rows));

/** SQL of rows whose keys are there once, as the source of a merge needs them. */
export const keyedRowsSql = fc
  .uniqueArray(fc.tuple(fc.integer({ min: 0, max: 12 }), value, text, partition), {
    maxLength: 8,
    selector: ([k]) => k,
  })
  .map((rows) => relationSql(rows));

function relationSql(
  rows: readonly (readonly [number | null, number | null, string | null, string | null])[],
): string {
  const typed =
    "SELECT NULL::INTEGER AS k, NULL::BIGINT AS v, NULL::VARCHAR AS s, NULL::VARCHAR AS p WHERE false";
  const quoted = (t: string | null) => (t === null ? "NULL" : `'${t.replaceAll("'", "''")}'`);
  const values = rows.map(
    ([k, v, s, p]) => `SELECT ${k ?? "NULL"}::INTEGER, ${v ?? "NULL"}::BIGINT, ${quoted(s)}, ${quoted(p)}`,
  );
  return [typed, ...values].join(" UNION ALL ");
}

const when = fc.option(fc.constantFrom("source.v > 0", "target.v IS NULL", "target.v < source.v"), {
  nil: undefined,
});
const rowWhen = fc.option(fc.constantFrom("target.v > 0", "target.s IS NULL"), { nil: undefined });
const insertWhen = fc.option(fc.constantFrom("source.v > 0", "source.s IS NOT NULL"), { nil: undefined });
const updates = fc.constantFrom<"all" | Record<string, string>>(
  "all",
  { v: "source.v" },
  { v: "coalesce(target.v, 0) + source.v", s: "target.s || 'z'" },
  { p: "source.p" },
);

/** Clauses of which only the last of a kind may lack a condition. */
export const merges: fc.Arbitrary<Omit<MergeSpec, "source">> = fc
  .record({
    on: fc.constantFrom(
      "target.k = source.k",
      "target.k = source.k AND target.v IS NOT NULL",
      "source.k = target.k AND target.p = source.p",
    ),
    matched: fc.array(
      fc.oneof(fc.record({ when, update: updates }), fc.record({ when, delete: fc.constant(true as const) })),
      { maxLength: 2 },
    ),
    notMatched: fc.array(
      fc.record({
        when: insertWhen,
        insert: fc.constantFrom<"all" | Record<string, string>>("all", { k: "source.k", v: "1" }),
      }),
      { maxLength: 1 },
    ),
    notMatchedBySource: fc.array(
      fc.oneof(
        fc.record({ when: rowWhen, update: fc.constantFrom({ v: "target.v + 1" }, { s: "'gone'" }) }),
        fc.record({ when: rowWhen, delete: fc.constant(true as const) }),
      ),
      { maxLength: 1 },
    ),
  })
  .map((spec) => ({ ...spec, matched: conditioned(spec.matched) }))
  .filter(
    (spec) => spec.matched.length + spec.notMatched.length + spec.notMatchedBySource.length > 0,
  ) as fc.Arbitrary<Omit<MergeSpec, "source">>;

function conditioned<T extends { readonly when?: string | undefined }>(clauses: readonly T[]): T[] {
  return clauses.map((clause, i) =>
    i < clauses.length - 1 && clause.when === undefined ? { ...clause, when: "true" } : clause,
  );
}

/** The statement by which DuckDB itself does the same. */
export function mergeStatement(
  table: string,
  columns: readonly string[],
  source: string,
  spec: Omit<MergeSpec, "source">,
): string {
  const set = (values: "all" | Readonly<Record<string, string>>) =>
    Object.entries(
      values === "all" ? Object.fromEntries(columns.map((c) => [c, `source.${identifier(c)}`])) : values,
    )
      .map(([c, sql]) => `${identifier(c)} = ${sql}`)
      .join(", ");
  const given = (clause: { readonly when?: string | undefined }) =>
    clause.when === undefined ? "" : ` AND (${clause.when})`;
  const parts = [`MERGE INTO ${table} AS target USING (${source}) AS source ON (${spec.on})`];
  for (const clause of spec.matched ?? []) {
    parts.push(
      `WHEN MATCHED${given(clause)} THEN ${"update" in clause ? `UPDATE SET ${set(clause.update)}` : "DELETE"}`,
    );
  }
  for (const clause of spec.notMatched ?? []) {
    const values =
      clause.insert === "all"
        ? Object.fromEntries(columns.map((c) => [c, `source.${identifier(c)}`]))
        : clause.insert;
    parts.push(
      `WHEN NOT MATCHED${given(clause)} THEN INSERT (${Object.keys(values).map(identifier).join(", ")}) VALUES (${Object.values(values).join(", ")})`,
    );
  }
  for (const clause of spec.notMatchedBySource ?? []) {
    parts.push(
      `WHEN NOT MATCHED BY SOURCE${given(clause)} THEN ${"update" in clause ? `UPDATE SET ${set(clause.update)}` : "DELETE"}`,
    );
  }
  return parts.join(" ");
}

/** All rows of a relation as sorted text, for comparison as multisets. */
export async function sortedRows(
  session: Session,
  sql: string,
  columns: readonly string[],
): Promise<string[]> {
  const rows = await session.rows(
    `SELECT to_json({${columns.map((c) => `${identifier(c)}: ${identifier(c)}`).join(", ")}})::VARCHAR AS row FROM (${sql}) ORDER BY 1`,
  );
  return rows.map(({ row }) => String(row));
}
