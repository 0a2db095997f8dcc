/** The relations whose changes a stream brings, and the tables that these belong to. */
import type pg from "pg";
import type { Relation } from "../postgres/replication/pgoutput.ts";
import type { Captured } from "./capture-options.ts";
import type { CapturedTable } from "./captured-table.ts";
import { sameColumns } from "./differs.ts";
import { type KnownTypes, keyOf, shapeOf } from "./shape.ts";

export class Relations {
  private readonly client: pg.Client;
  private readonly tables: readonly CapturedTable[];
  private readonly types: KnownTypes = new Map();
  private readonly byOid = new Map<number, Captured>();
  /** Relations of which nothing was taken so far: what they were before does not concern their tables. */
  private readonly passedOver = new Set<number>();

  constructor(client: pg.Client, tables: readonly CapturedTable[]) {
    this.client = client;
    this.tables = tables;
  }

  /** Notes how a relation's changes come from `lsn` on. Answers whether it has to be shaped before they can be taken. */
  announce(relation: Relation, lsn: number): boolean {
    const { oid } = relation;
    const known = this.byOid.get(oid);
    if (known !== undefined && sameColumns(known.shape.relation, relation)) return false;
    const table = this.find(relation);
    if (table === undefined) return false;
    this.byOid.set(oid, { table, shape: unshaped(table, relation) });
    this.passedOver.add(oid);
    return lsn >= table.position;
  }

  /** The table of a relation; undefined where it is of no interest. */
  get(oid: number): Captured | undefined {
    return this.byOid.get(oid);
  }

  /** Whether a change at `lsn` can be taken only once the relation is shaped. */
  waits(oid: number, lsn: number): boolean {
    return this.passedOver.has(oid) && lsn >= (this.byOid.get(oid)?.table.position ?? 0);
  }

  /** Finds out what the relation's fields become in bronze, and brings bronze's columns to it. */
  async shape(oid: number): Promise<Captured | undefined> {
    const known = this.byOid.get(oid);
    if (known === undefined) return undefined;
    const { table } = known;
    const captured = { table, shape: await shapeOf(this.client, this.types, table, known.shape.relation) };
    this.byOid.set(oid, captured);
    this.passedOver.delete(oid);
    return captured;
  }

  private find(relation: Relation): CapturedTable | undefined {
    return (
      this.tables.find((table) => table.relations.includes(relation.oid)) ??
      this.tables.find((table) => table.source === `${relation.schema}.${relation.name}`)
    );
  }
}

/** Enough to count changes by: whether a key changed decides how many there are. */
function unshaped(table: CapturedTable, relation: Relation): Captured["shape"] {
  return { relation, columns: [], careful: false, bare: [], ...keyOf(table, relation) };
}

/** Whether no row of a table is left: of one with children, by inheritance, some of the relations may be emptied. */
export function empties({ partitioned, relations }: CapturedTable, emptied: readonly number[]): boolean {
  return partitioned || relations.length === 1 || relations.every((relation) => emptied.includes(relation));
}
