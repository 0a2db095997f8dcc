/** A table that is captured: its bronze table, how far that is, and the shape in which changes come at the moment. */
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../../lakehouse/delta/table.ts";
import type { DriftPolicy } from "../../definition/pipeline.ts";
import type { Relation } from "../postgres/replication/pgoutput.ts";
import type { ColumnPlan } from "./drift.ts";

/** How the fields of a relation become columns of bronze. */
export interface Shape {
  readonly relation: Relation;
  /** By field. */
  readonly columns: readonly ColumnPlan[];
  /** Whether every value has to be looked at for a place in its column. */
  readonly careful: boolean;
  /** Which fields never need quotes in CSV. */
  readonly bare: readonly boolean[];
  /** Positions of the key's fields; empty for tables without key. */
  readonly key: readonly number[];
  /** The first column of the key that rows of the relation lack, or of which former rows are not sent. */
  readonly lacks: { readonly name: string; readonly column: "absent" | "unnamed" } | undefined;
}

export interface CapturedTable {
  /** `bronze.orders` */
  readonly task: string;
  /** `sales.orders`, at the source. */
  readonly source: string;
  readonly target: DeltaTable;
  readonly key: readonly string[];
  readonly policy: DriftPolicy;
  /** Whether changes name the key by now, whatever those say that are still to come. */
  readonly namesKey: boolean;
  /** Whether former rows are whole where the stream calls them so: of some partitions they may be keys. */
  readonly bringsWholeRows: boolean;
  /** Its object id at the source. */
  readonly oid: number;
  /** Whether its rows lie in partitions, of which changes are told as the table's own. */
  readonly partitioned: boolean;
  /** Object ids at the source under which its changes may come: its own and its partitions'. */
  readonly relations: readonly number[];
  /** The version on which the next commit is decided. */
  base: Snapshot;
  /** Transactions whose commit record begins before it are in bronze. */
  position: number;
}
