/** Statistics as the protocol has them, computed the plain way, for tests of data skipping. */
import type { AddFile } from "../../lakehouse/delta/actions.ts";
import type { Session } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import type { Case } from "./skip-cases.ts";
import type { Column } from "./skip-values.ts";

/** An `add` over the rows of table `t`, whose statistics are worn as the case says, but never wrong. */
export async function describeFile(session: Session, { columns, rows, partition, cut, wide, without }: Case) {
  const stats = { minValues: {}, maxValues: {}, nullCount: {} } as Record<string, Record<string, unknown>>;
  const partitionValues: Record<string, string | null> = {};
  const numbers = new Map<string, string>();
  for (const [i, column] of columns.entries()) {
    const facts = await columnFacts(session, column);
    if (column.path[0] === partition) {
      partitionValues[partition ?? ""] = facts.text === "" ? null : facts.text;
      continue;
    }
    const put = (kind: string, value: unknown) => {
      const [first = "", second] = column.path;
      const kinds = stats[kind];
      if (kinds) kinds[first] = second === undefined ? value : { [second]: value };
    };
    if (!without[3 * i]) put("minValues", json(column.type, facts.min, cut, "", numbers));
    if (!without[3 * i + 1]) put("maxValues", json(column.type, facts.max, cut, "\u{10FFFF}", numbers));
    // A wide count may be anything but zero and the number of rows, unless it is right.
    if (!without[3 * i + 2]) put("nullCount", facts.nulls);
  }
  const text = JSON.stringify({
    ...(without[11] ? {} : { numRecords: rows.length }),
    ...(wide ? { tightBounds: false } : {}),
    ...stats,
  });
  const spliced = text.replace(/"#(\d+)"/g, (_, id: string) => numbers.get(id) ?? "null");
  const add: AddFile = {
    path: "part-0.parquet",
    partitionValues,
    size: 1,
    modificationTime: 0,
    dataChange: true,
    stats: spliced,
  };
  return add;
}

async function columnFacts(session: Session, { path, type }: Column) {
  const c = path.map(identifier).join(".");
  const isFloat = type === "float" || type === "double";
  const ordered = isFloat ? `CASE WHEN isnan(${c}) THEN NULL ELSE ${c} END` : c;
  const text = (value: string) => {
    if (type === "timestamp") return `strftime(${value}, '%Y-%m-%dT%H:%M:%S.%gZ')`;
    return type === "timestamp_ntz" ? `strftime(${value}, '%Y-%m-%dT%H:%M:%S.%g')` : `${value}::VARCHAR`;
  };
  const partition = type.startsWith("timestamp")
    ? `strftime(any_value(${c}), '%Y-%m-%d %H:%M:%S.%f')`
    : `any_value(${c})::VARCHAR`;
  const [row] = await session.rows(
    `SELECT ${text(`min(${ordered})`)} AS min, ${text(`max(${ordered})`)} AS max, ${partition} AS text,
      count(*) FILTER (WHERE ${c} IS NULL)::INTEGER AS nulls FROM t`,
  );
  return row as { min: string | null; max: string | null; text: string | null; nulls: number };
}

/** Numbers stay text until the end: JSON.stringify would round them. */
function json(
  type: string,
  value: string | null,
  cut: number,
  tie: string,
  numbers: Map<string, string>,
): unknown {
  if (value === null) return undefined;
  if (type === "string") {
    const characters = [...value];
    return characters.length <= cut ? value : characters.slice(0, cut).join("") + tie;
  }
  if (type === "boolean") return value === "true";
  if (type === "date") return /^\d{4}-\d\d-\d\d$/.test(value) ? value : undefined;
  if (type.startsWith("timestamp")) return value;
  if (!/^-?\d/.test(value)) return undefined;
  const id = String(numbers.size);
  numbers.set(id, value);
  return `#${id}`;
}
