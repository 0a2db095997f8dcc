/** From the columns of a relation message to the columns of bronze. */
import type pg from "pg";
import { TerminalError } from "../../../lakehouse/errors.ts";
import { readPosition } from "../position.ts";
import type { Relation } from "../postgres/replication/pgoutput.ts";
import { type ColumnMapping, mapColumn, type SourceType, typesOf } from "../postgres/types.ts";
import type { CapturedTable, Shape } from "./captured-table.ts";
import { planDrift } from "./drift.ts";
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
  const isOwn = relation.oid === table.oid;
  const policy = isOwn ? table.policy : "quarantine";
  const recorded = readDrift(table.base)?.columns ?? [];
  const before = recorded.length > 0 ? recorded : readPosition(table.base)?.columns;
  const planned = planDrift(table.base.schema, before, columns, policy, current.filled);
  // Without key a row is told by all of its columns, one that is gone among them.
  const loses = table.key.length === 0 && planned.changes.some(({ kind }) => kind === "dropped");
  const plan = { ...planned, rewrites: planned.rewrites || loses };
  if (isOwn && policy === "freeze") refuseDrift(table.source, plan.changes);
  if (isOwn) table.base = await applyDrift(table.target, table.base, plan, columns, policy);
  return {
    relation,
    columns: plan.columns,
    careful: plan.careful,
    bare: plan.columns.map((column) => BARE.test(column.baseType)),
    key: keyOf(table, relation),
  };
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

function keyOf(table: CapturedTable, relation: Relation): number[] {
  return table.key.map((name) => {
    const at = relation.columns.findIndex((column) => column.name === name);
    const column = relation.columns[at];
    if (column !== undefined && (column.isKey || relation.replicaIdentity === "f")) return at;
    throw new TerminalError(`deletions of ${table.source} do not name its key`, {
      code: "POSTGRES_REPLICA_IDENTITY",
      value: `replica identity ${relation.replicaIdentity} without ${name}`,
      allowed: `a replica identity that covers ${table.key.join(", ")}`,
      next: `At the source: ALTER TABLE ${table.source} REPLICA IDENTITY DEFAULT, or FULL; then \`ingot verify --repair\`.`,
    });
  });
}
