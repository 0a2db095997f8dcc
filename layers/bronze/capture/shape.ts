/** From the columns of a relation message to the columns of bronze. */
import type pg from "pg";
import type { DriftPolicy } from "../../definition/pipeline.ts";
import { readPosition } from "../position.ts";
import { describeTable, type TableDescription } from "../postgres/catalog.ts";
import type { Relation } from "../postgres/replication/pgoutput.ts";
import { type ColumnMapping, mapColumn, type SourceType, typesOf } from "../postgres/types.ts";
import type { CapturedTable, Shape } from "./captured-table.ts";
import { type DriftPlan, planDrift, type SourceColumn } from "./drift.ts";
import { applyDrift, readDrift, refuseDrift } from "./drift-record.ts";

/** Types by id, asked for once in the life of a stream. */
export type KnownTypes = Map<number, SourceType>;

/** Types of Postgres whose text holds no comma, quote or line break. */
const BARE = /^(bool|int2|int4|int8|oid|float4|float8|numeric|date|timestamp|timestamptz|uuid)$/;

/** The shape of a relation; bronze is brought to it first where its columns changed. */
export async function shapeOf(
  client: pg.Client,
  types: KnownTypes,
  table: CapturedTable,
  relation: Relation,
): Promise<Shape> {
  const current = await currentColumns(client, relation.oid);
  const columns = await mapColumns(client, types, relation, current);
  // What a child table has beside its parent's columns is not the parent's.
  const plan =
    relation.oid === table.oid
      ? await followDrift(table, columns, current)
      : planOf(table, columns, current, "quarantine");
  return {
    relation,
    columns: plan.columns,
    careful: plan.careful,
    bare: plan.columns.map((column) => BARE.test(column.baseType)),
    ...keyOf(table, relation),
  };
}

/**
 * Takes the columns that the source had when the stream was read to here (`described`), where no change has come with
 * them: the next might, or the table is read by others before. Does nothing where they have changed since, or the key
 * is not among them.
 */
export async function followAltered(
  client: pg.Client,
  table: CapturedTable,
  described: TableDescription,
): Promise<void> {
  const known = knownColumns(table);
  // Without its key the table cannot be gone on with as it is: the first change says so.
  const hasKey = table.key.every((key) => described.columns.some(({ name }) => name === key));
  if (known === undefined || !hasKey || print(known) === print(sourceColumns(described))) return;
  const { schema, name, bronze, oid } = described;
  const current = await currentColumns(client, oid);
  const now = await describeTable(client, bronze, { schema, table: name, key: "none" });
  if (now.oid !== oid || print(sourceColumns(now)) !== print(sourceColumns(described))) return;
  await followDrift(table, described.columns, current);
}

const knownColumns = ({ base }: CapturedTable): readonly SourceColumn[] | undefined => {
  const recorded = readDrift(base)?.columns ?? [];
  return recorded.length > 0 ? recorded : readPosition(base)?.columns;
};

/** Those that changes bring: what the source computes is not sent. */
const sourceColumns = ({ columns }: TableDescription): SourceColumn[] =>
  columns
    .filter((column) => !column.generated)
    .map(({ name, sourceType, attnum }) => ({ name, type: sourceType, attnum }));

const print = (columns: readonly SourceColumn[]): string =>
  JSON.stringify(columns.map(({ name, type, attnum }) => [name, type, attnum]));

/** Brings bronze's columns to these, and writes down what changed. */
async function followDrift(
  table: CapturedTable,
  columns: readonly ColumnMapping[],
  current: CurrentColumns,
): Promise<DriftPlan> {
  const plan = planOf(table, columns, current, table.policy);
  if (table.policy === "freeze") refuseDrift(table.source, plan.changes);
  table.base = await applyDrift(table.target, table.base, plan, columns, table.policy);
  return plan;
}

function planOf(
  table: CapturedTable,
  columns: readonly ColumnMapping[],
  { filled }: CurrentColumns,
  policy: DriftPolicy,
): DriftPlan {
  const planned = planDrift(table.base.schema, knownColumns(table), columns, policy, filled);
  // Without key a row is told by all of its columns, one that is gone among them.
  const loses = table.key.length === 0 && planned.changes.some(({ kind }) => kind === "dropped");
  return { ...planned, rewrites: planned.rewrites || loses };
}

async function mapColumns(
  client: pg.Client,
  types: KnownTypes,
  relation: Relation,
  { numbers }: CurrentColumns,
): Promise<ColumnMapping[]> {
  const unknown = relation.columns.map((c) => c.typeOid).filter((oid) => !types.has(oid));
  if (unknown.length > 0) for (const [oid, type] of await typesOf(client, unknown)) types.set(oid, type);
  return relation.columns.map(({ name, typeOid, typmod }) =>
    mapColumn(name, types.get(typeOid), typmod, numbers.get(name)),
  );
}

/** What the catalogue says of a table's columns as they are now; one that has another name by now is not there. */
interface CurrentColumns {
  readonly numbers: ReadonlyMap<string, number>;
  /** Columns with a default: rows that were there when such a one was added have it too. */
  readonly filled: ReadonlySet<string>;
}

async function currentColumns(client: pg.Client, oid: number): Promise<CurrentColumns> {
  const { rows } = await client.query<{ name: string; number: number; filled: boolean }>(
    `SELECT attname::text AS name, attnum::int AS number, atthasdef OR atthasmissing OR attidentity <> '' AS filled
       FROM pg_attribute WHERE attrelid = $1::int8::oid AND attnum > 0 AND NOT attisdropped`,
    [oid],
  );
  return {
    numbers: new Map(rows.map((row) => [row.name, row.number])),
    filled: new Set(rows.filter((row) => row.filled).map((row) => row.name)),
  };
}

/**
 * Where the key's columns are in a relation. What is missing matters only to the changes that need it: a replica
 * identity may have been another for a while in which rows were only inserted.
 */
export function keyOf(
  table: CapturedTable,
  { columns, replicaIdentity }: Relation,
): Pick<Shape, "key" | "lacks"> {
  const key: number[] = [];
  let lacks: Shape["lacks"];
  for (const name of table.key) {
    const at = columns.findIndex((column) => column.name === name);
    if (at >= 0) key.push(at);
    if (at < 0) lacks = { name, column: "absent" };
    else if (replicaIdentity !== "f" && columns[at]?.isKey !== true) lacks ??= { name, column: "unnamed" };
  }
  return { key, lacks };
}
