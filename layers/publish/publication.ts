/** A publication: what a metric declares of a gold table's version, ready to be read by a target. */
import { createHash } from "node:crypto";
import type { ColumnType, StructColumnType } from "../../lakehouse/duckdb/columns.ts";
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import type { PublishedForm, PublishedMetric } from "../definition/published.ts";
import { checkedRows, formSql, repeatedKey } from "./form-sql.ts";
import { rowJsonSql } from "./json-sql.ts";
import { orderSql, partSql } from "./part-sql.ts";
import type { Publication, RowBatch, VersionStamp } from "./target.ts";

const ROW = "_ingot_row";

interface GoldRows {
  readonly duckdb: DuckDb;
  /** SQL of the gold table's version. */
  readonly scan: string;
  /** Columns of the key of its contract. */
  readonly key: readonly string[];
}

/** Name under which consumers ask for a metric. */
export const setOf = (pipeline: string, { name, model }: Pick<PublishedMetric, "name" | "model">): string =>
  `${pipeline}/${name ?? model}`;

/** The publication of a metric. Throws `PUBLISH_UNKNOWN_COLUMN`, `PUBLISH_NO_KEY`, and what DuckDB says of the SQL. */
export async function preparePublication(
  metric: PublishedMetric,
  gold: GoldRows,
  stamp: VersionStamp,
): Promise<Publication> {
  const { duckdb, scan } = gold;
  const form: PublishedForm = metric.as ?? { kind: "list" };
  const part = partSql(metric, metric.model, scan);
  const columns = await duckdb.columnTypes(part);
  // A projection may have left the columns of the key behind.
  const key = gold.key.every((name) => columns.members.has(name)) ? gold.key : [];
  const { id, score, value } = formSql(form, columns, gold.key, ROW);
  const order = orderSql(metric, key, ROW);
  const from = `FROM (${part}) AS ${ROW}${order}`;
  const json = rowJsonSql(columns, ROW);
  const sql = `SELECT ${json} AS json, ${id} AS id, ${score} AS score, ${value} AS value ${from}`;
  const unique = (names: readonly string[]) =>
    metric.sql === undefined && gold.key.length > 0 && gold.key.every((name) => names.includes(name));
  await refuseRepeated({ duckdb, sql, set: stamp.set }, form, unique, key);
  return {
    ...stamp,
    form,
    fingerprint: fingerprintOf(metric, columns),
    key: metric.key,
    columns: [...columns.members].map(([name, type]) => ({ name, type: typeName(type) })),
    rows: () => checkedRows(form, stamp.set, readRows(duckdb, sql)),
  };
}

/** Rows of one key would hide each other. The contract's key needs no look: the model has made sure of it. */
async function refuseRepeated(
  { duckdb, sql, set }: { readonly duckdb: DuckDb; readonly sql: string; readonly set: string },
  form: PublishedForm,
  unique: (columns: readonly string[]) => boolean,
  all: readonly string[],
): Promise<void> {
  const repeats =
    (form.kind === "lookup" && !unique(form.by ?? all)) ||
    (form.kind === "ranking" && !unique([form.member])) ||
    (form.kind === "hash" && "field" in form && !unique([form.field])) ||
    (form.kind === "series" && !unique(all));
  if (!repeats) return;
  const key = form.kind === "series" ? "json" : "id";
  const query = `SELECT 1 FROM (${sql}) GROUP BY ${key} HAVING count(*) > 1 LIMIT 1`;
  if ((await duckdb.rows(query)).length > 0) throw repeatedKey(set, form);
}

async function* readRows(duckdb: DuckDb, sql: string): AsyncGenerator<RowBatch, void, undefined> {
  for await (const { columns } of duckdb.columns(sql)) {
    const [json, ids, scores, values] = columns;
    yield { json, ids, scores, values } as unknown as RowBatch;
  }
}

/** What readers would notice if it changed, and nothing else: a title or a target is not among it. */
function fingerprintOf(metric: PublishedMetric, columns: StructColumnType): string {
  const { as, where, columns: chosen, orderBy, limit, sql, key } = metric;
  const types = [...columns.members].map(([name, type]) => [name, typeName(type)]);
  const text = JSON.stringify({ as, where, chosen, orderBy, limit, sql, key, types }, (_name, value) =>
    typeof value === "bigint" ? `${value}n` : value,
  );
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

function typeName(type: ColumnType): string {
  if (typeof type === "string") return type;
  return `STRUCT(${[...type.members].map(([name, member]) => `${name} ${typeName(member)}`).join(", ")})`;
}
