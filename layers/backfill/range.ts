/** The range that a backfill makes again: values of one column, from one up to another, in chunks. */
import { duckdbType, type StructField } from "../../lakehouse/delta/schema.ts";
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier, literal } from "../../lakehouse/duckdb/quote.ts";
import { codeOf, messageOf, TerminalError } from "../../lakehouse/errors.ts";

/** Values from `from` on, before `to`, as text that DuckDB reads as the column's type. */
export interface Interval {
  readonly from: string;
  readonly to: string;
}

/** So long is a chunk: months and seconds of a time, or a number. */
export interface ChunkSize {
  readonly text: string;
  readonly unit: string;
  readonly count: number;
}

const TEMPORAL: readonly unknown[] = ["date", "timestamp", "timestamp_ntz"];
const NUMBER = /^(byte|short|integer|long|float|double|decimal(\(.*\))?)$/;

/** Whether ranges of a column are of time. */
export const isTemporal = ({ type }: StructField): boolean => TEMPORAL.includes(type);

const hasRanges = (field: StructField): boolean =>
  isTemporal(field) || (typeof field.type === "string" && NUMBER.test(field.type));

/**
 * The column that a range is of: the one that is named, else the only one of the key that holds a time. Throws
 * `BACKFILL_COLUMN`.
 */
export function rangeField(
  table: string,
  fields: readonly StructField[],
  key: readonly string[],
  named: string | undefined,
): StructField {
  const usable = fields.filter(hasRanges);
  const candidates =
    named === undefined
      ? usable.filter((field) => key.includes(field.name) && isTemporal(field))
      : usable.filter(({ name }) => name.toLowerCase() === named.toLowerCase());
  const [field, ...others] = candidates;
  if (field !== undefined && others.length === 0) return field;
  const why =
    named !== undefined
      ? `${table} has no column ${named} of dates, times or numbers`
      : field === undefined
        ? `no column of the key of ${table} holds a date or a time`
        : `several columns of the key of ${table} hold a date or a time`;
  throw new TerminalError(`say which column the range is of: ${why}`, {
    code: "BACKFILL_COLUMN",
    value: named ?? key.join(", "),
    allowed: usable.map(({ name }) => name).join(", "),
    next: "Say it with --column.",
  });
}

/** Reads the bounds as values of the column's type. Throws `BACKFILL_RANGE`. */
export async function readRange(
  duckdb: DuckDb,
  field: StructField,
  { from, to }: Interval,
): Promise<Interval> {
  const value = async (text: string): Promise<string> => {
    try {
      const [row] = await duckdb.rows(`SELECT ${valueSql(field, text)}::VARCHAR AS value`);
      return String(row?.value);
    } catch (cause) {
      throw new TerminalError(`${text} is no value of ${field.name}: ${messageOf(cause)}`, {
        code: "BACKFILL_RANGE",
        value: text,
        allowed: `a value of ${duckdbType(field.type)}, such as ${isTemporal(field) ? "2026-01-31" : "1000"}`,
        cause,
      });
    }
  };
  const read = { from: await value(from), to: await value(to) };
  const [row] = await duckdb.rows(
    `SELECT ${valueSql(field, read.from)} < ${valueSql(field, read.to)} AS ordered`,
  );
  if (row?.ordered === true) return read;
  throw new TerminalError("the range ends where it begins, or before", {
    code: "BACKFILL_RANGE",
    value: `${read.from} … ${read.to}`,
    allowed: "--from before --to; the row at --to is not part of it",
  });
}

/** A value of the column, as SQL. */
export const valueSql = ({ type }: StructField, text: string): string =>
  `CAST(${literal(text)} AS ${duckdbType(type)})`;

/** Condition over a column of any type that is cast to the contract's: whether a row is in the range. */
export function rangeSql(field: StructField, { from, to }: Interval): string {
  const value = `CAST(${identifier(field.name)} AS ${duckdbType(field.type)})`;
  return `(${value} >= ${valueSql(field, from)} AND ${value} < ${valueSql(field, to)})`;
}

/** The same over a column of that type, in words that the statistics of files can answer. */
export function storedRangeSql(field: StructField, { from, to }: Interval): string {
  const name = identifier(field.name);
  return `${name} >= ${valueSql(field, from)} AND ${name} < ${valueSql(field, to)}`;
}

const UNITS: Readonly<Record<string, { readonly interval: string; readonly seconds: number }>> = {
  min: { interval: "MINUTE", seconds: 60 },
  h: { interval: "HOUR", seconds: 3600 },
  d: { interval: "DAY", seconds: 86_400 },
  w: { interval: "WEEK", seconds: 7 * 86_400 },
  mo: { interval: "MONTH", seconds: 28 * 86_400 },
  y: { interval: "YEAR", seconds: 365 * 86_400 },
};
const MOST_CHUNKS = 10_000;

/** `7d`, `12h`, `1mo`; of a number `100000`. Throws `BACKFILL_CHUNK`. */
export function readChunkSize(field: StructField, text: string): ChunkSize {
  const [, digits = "", unit = ""] = /^(\d{1,12})(min|h|d|w|mo|y)?$/.exec(text.trim().toLowerCase()) ?? [];
  const isDay = field.type === "date" && (unit === "h" || unit === "min");
  if (Number(digits) > 0 && !isDay && (unit !== "") === isTemporal(field))
    return { text, unit, count: Number(digits) };
  throw new TerminalError(`${text} is no length of a chunk of ${field.name}`, {
    code: "BACKFILL_CHUNK",
    value: text,
    allowed: isTemporal(field)
      ? `a number and a unit, such as 7d: ${field.type === "date" ? "" : "min, h, "}d, w, mo, y`
      : "a whole number, such as 100000",
  });
}

/** The chunks of a range, in order and without gaps; the last may be shorter. */
export async function chunksOf(
  duckdb: DuckDb,
  field: StructField,
  range: Interval,
  size: ChunkSize | undefined,
): Promise<Interval[]> {
  if (size === undefined) return [range];
  const [from, to] = [valueSql(field, range.from), valueSql(field, range.to)];
  const isTime = isTemporal(field);
  const { interval = "", seconds = 1 } = UNITS[size.unit] ?? {};
  const span = isTime ? `epoch(${to}) - epoch(${from})` : `${to}::DOUBLE - ${from}::DOUBLE`;
  const [row] = await duckdb.rows(`SELECT (${span})::DOUBLE / ${size.count * seconds} AS chunks`);
  const count = Math.ceil(Number(row?.chunks ?? Number.NaN));
  if (!(count <= MOST_CHUNKS)) throw tooMany(size, count);
  const step = isTime ? `i * INTERVAL '${size.count} ${interval}'` : `i * ${size.count}`;
  // A month may be shorter than it was taken for, never longer: what is beyond the end is left out.
  const edges = await duckdb.rows(
    `SELECT (${wide(field, from)} + ${step})::${duckdbType(field.type)}::VARCHAR AS edge FROM range(1, ${count + 1}) AS r(i)
      WHERE ${wide(field, from)} + ${step} < ${wide(field, to)} ORDER BY i`,
  );
  const texts = [range.from, ...edges.map(({ edge }) => String(edge)), range.to];
  return texts.slice(1).map((end, i) => ({ from: texts[i] ?? range.from, to: end }));
}

/** An interval in so many parts of about one length, in order and without gaps; fewer where it has no more values. */
export async function partsOf(
  duckdb: DuckDb,
  field: StructField,
  interval: Interval,
  count: number,
): Promise<Interval[]> {
  if (count <= 1) return [interval];
  const type = duckdbType(field.type);
  const [from, to] = [valueSql(field, interval.from), valueSql(field, interval.to)];
  const span = isTemporal(field)
    ? `epoch_us(${to}::TIMESTAMP) - epoch_us(${from}::TIMESTAMP)`
    : `${wide(field, to)} - ${wide(field, from)}`;
  const edge = isTemporal(field)
    ? `make_timestamp(epoch_us(${from}::TIMESTAMP) + ((${span}) * i // ${count})::BIGINT)`
    : `${wide(field, from)} + (${span}) * i / ${count}`;
  try {
    const rows = await duckdb.rows(
      `SELECT DISTINCT edge::VARCHAR AS edge, edge AS place FROM (SELECT (${edge})::${type} AS edge FROM range(1, ${count}) AS r(i))
        WHERE edge > ${from} AND edge < ${to} ORDER BY place`,
    );
    const edges = [interval.from, ...rows.map((row) => String(row.edge)), interval.to];
    return edges.slice(1).map((end, i) => ({ from: edges[i] ?? interval.from, to: end }));
  } catch (error) {
    // What is endless, or wider than arithmetic goes, has no parts of one length.
    if (codeOf(error) === "DUCKDB_SQL") return [interval];
    throw error;
  }
}

/** A value in a type that the end of a chunk has a place in, even beyond the column's. */
function wide({ type }: StructField, value: string): string {
  if (type === "date") return `${value}::TIMESTAMP`;
  return ["byte", "short", "integer", "long"].includes(String(type)) ? `${value}::HUGEINT` : value;
}

function tooMany({ text }: ChunkSize, count: number): TerminalError {
  return new TerminalError("the range has too many chunks", {
    code: "BACKFILL_CHUNK",
    value: Number.isFinite(count) ? `${count} chunks of ${text}` : `an endless range in chunks of ${text}`,
    allowed: `${MOST_CHUNKS} chunks`,
    next: "Say a larger --chunk.",
  });
}
