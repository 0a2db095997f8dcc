/** What a verification found, table by table. */
import { identifiers } from "../../../lakehouse/duckdb/quote.ts";
import type { DriftedColumn } from "./compared-columns.ts";
import { type ComparedRanges, type Comparison, KIND, PLACE } from "./comparison.ts";

/** A range of keys whose rows differ. */
interface RangeDifference {
  /** Keys from this one on; null: from the first. */
  readonly from: string | null;
  /** Keys before this one; null: to the last. */
  readonly to: string | null;
  /** Rows of the source that the lake does not have. */
  readonly missing: number;
  /** Rows of the lake that the source does not have. */
  readonly extra: number;
  /** Rows with the same key and other values. */
  readonly different: number;
}

export interface TableVerification {
  /** `bronze.orders` */
  readonly table: string;
  /** `repaired`: it differed, and does no more. */
  readonly status: "same" | "different" | "repaired";
  readonly sourceRows: number;
  readonly lakeRows: number;
  /** Ranges that were compared; 1 where the table was compared as a whole. */
  readonly ranges: number;
  /** The ranges that differ, in order. */
  readonly differing: readonly RangeDifference[];
  readonly missing: number;
  readonly extra: number;
  readonly different: number;
  /** Rows that were appended to the lake. */
  readonly repaired: number;
  /** Some of the keys whose rows differ, as JSON. */
  readonly examples: readonly string[];
  /** Columns that could not be compared. */
  readonly drifted: readonly DriftedColumn[];
  /** Bytes of rows that the source sent; sums are some hundred bytes a range. */
  readonly bytes: number;
  /** Version of the lake's table. */
  readonly version: number;
  readonly durationMs: number;
}

const EXAMPLES = 5;

/** What the session's table `differences` holds, as a report before any repair. */
export async function reportOf(
  { session, table, task, columns, base }: Comparison,
  compared: ComparedRanges,
): Promise<Omit<TableVerification, "bytes" | "durationMs">> {
  const counts = await session.rows(
    `SELECT ${PLACE} AS place, count(*) FILTER (${KIND} = 'missing') AS missing, count(*) FILTER (${KIND} = 'extra') AS extra,
            count(*) FILTER (${KIND} = 'different') AS different
       FROM differences GROUP BY ${PLACE} ORDER BY ${PLACE}`,
  );
  const differing = counts.map((row): RangeDifference => {
    const range = compared.ranges[Number(row.place)]?.range;
    return {
      from: range?.from ?? null,
      to: range?.to ?? null,
      missing: Number(row.missing),
      extra: Number(row.extra),
      different: Number(row.different),
    };
  });
  const total = (count: (range: RangeDifference) => number) =>
    differing.reduce((all, r) => all + count(r), 0);
  const sum = (count: "sourceRows" | "lakeRows") => compared.ranges.reduce((all, r) => all + r[count], 0);
  const keys =
    table.key.length === 0
      ? []
      : await session.rows(
          `SELECT to_json(r)::VARCHAR AS example FROM (SELECT ${identifiers(table.key)} FROM differences ORDER BY ALL LIMIT ${EXAMPLES}) AS r`,
        );
  return {
    table: task,
    status: differing.length === 0 ? "same" : "different",
    sourceRows: sum("sourceRows"),
    lakeRows: sum("lakeRows"),
    ranges: compared.ranges.length,
    differing,
    missing: total((r) => r.missing),
    extra: total((r) => r.extra),
    different: total((r) => r.different),
    repaired: 0,
    examples: keys.map(({ example }) => String(example)),
    drifted: columns.drifted,
    version: base.version,
  };
}
