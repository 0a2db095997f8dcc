/** What a pipeline is: data, no behaviour. The jobs read it; the layers carry it out. */
import type { ProgressListener } from "../../lakehouse/progress.ts";
import type { ModelDefinition } from "./model.ts";
import type { ModelTest } from "./model-test.ts";
import type { PublishedMetric } from "./published.ts";
import type { Schedule } from "./schedule.ts";

/**
 * What happens when a source table's columns are no longer those of its bronze table. `evolve`: bronze gets the new
 * ones. `quarantine`: bronze stays as it is, values that have no place in it are set aside in `_ingot_rescued`, from
 * where they can be adopted later. `freeze`: the run stops before it takes anything of the new shape.
 */
export type DriftPolicy = "evolve" | "quarantine" | "freeze";

/** One Postgres table that is taken into bronze. */
export interface SourceTable {
  /** Schema of the table in Postgres; `public` by default. */
  readonly schema?: string;
  /** Its name in Postgres, where the bronze table is to have another one. */
  readonly table?: string;
  /**
   * Columns that identify a row. By default the primary key. `"none"` declares a table without key: captured, its
   * rows are told apart by all of their columns; queried, by their physical address, so it must never be updated.
   */
  readonly key?: readonly string[] | "none";
  /**
   * For `changes: "query"`. A column that every change moves forward (an indexed `updated_at`), or, of a table that
   * is only appended to, an increasing id: a sync then reads only its recent end. Without it a sync reads the table
   * and keeps what committed since the last one.
   */
  readonly cursor?: string;
  /** The longest that a writing transaction stays open, in seconds; bounds how far behind `cursor` a sync looks. */
  readonly longestTransaction?: number;
  /** `compare`: every sync compares keys with the source and records the rows that are gone. */
  readonly deletes?: "ignore" | "compare";
  /** What to do when the columns change; `evolve` by default. */
  readonly drift?: DriftPolicy;
}

/** How much a source may be asked for. */
export interface SourceLimits {
  /** Connections that read at once; by default `concurrency` of the configuration. */
  readonly connections?: number;
  /** Seconds that one statement may take; tables are then read in ranges that are small enough. */
  readonly statementSeconds?: number;
  /** Megabytes a second that all reads together may take. */
  readonly megabytesPerSecond?: number;
}

/** How a replication slot is used and watched. */
export interface SlotOptions {
  /** Name of the slot; `ingot_<pipeline>` by default. */
  readonly slot?: string;
  /** Name of the publication; `ingot_<pipeline>` by default. It is made and altered where that is allowed. */
  readonly publication?: string;
  /** Megabytes of WAL held back by the slot from which on each run warns; 1,024 by default. */
  readonly warnMegabytes?: number;
  /** Megabytes of WAL from which on the slot is dropped for the source's sake; never by default. */
  readonly stopMegabytes?: number;
  /**
   * Name of a bronze table for what applications write with `pg_logical_emit_message`; passed over by default.
   * Postgres 14 or later.
   */
  readonly messages?: string;
  /**
   * `none`: only changes that were made at the source itself, not those that it got by replication from elsewhere.
   * Postgres 16 or later. `any` by default.
   */
  readonly origin?: "any" | "none";
}

/** Postgres as a source; tables by name. */
export interface PostgresSource {
  readonly kind: "postgres";
  readonly tables: Readonly<Record<string, SourceTable>>;
  /** Schemas whose other tables are taken too, those that are made later among them. */
  readonly discover?: readonly string[];
  /**
   * How changes are found. `wal`: by logical replication, every one of them, in order. `query` (the default): by
   * asking the tables, which needs no rights but to read and sees the state at each sync.
   */
  readonly changes?: "wal" | "query";
  readonly wal?: SlotOptions;
  readonly limits?: SourceLimits;
}

/** What a pipeline's own programs (bootstrap, simulate) are given. */
export interface ProgramContext {
  readonly connectionString: string;
  readonly signal: AbortSignal;
  readonly onProgress: ProgressListener;
}

/** How `ingot bootstrap` was called. */
export interface BootstrapOptions {
  /** 1 is the size that the pipeline was made for; less is less data. */
  readonly scale: number;
}

/** How `ingot simulate` was called. */
export interface SimulateOptions {
  /** User journeys a second; 0 means as fast as it goes. */
  readonly rate: number;
  /** Journeys after which it stops; until interrupted when absent. */
  readonly journeys?: number;
  readonly seed: number;
}

/** What `ingot simulate` did. */
export interface SimulateResult {
  readonly journeys: number;
  /** Rows inserted, updated and deleted, by table. */
  readonly changes: Readonly<Record<string, { inserted: number; updated: number; deleted: number }>>;
}

/** A pipeline, from its source to what it publishes. */
export interface PipelineDefinition {
  /** Lower case letters, digits and `_`; first part of every table's address. */
  readonly name: string;
  /** Folder with `silver/*.sql` and `gold/*.sql`. */
  readonly folder?: URL;
  readonly source: PostgresSource;
  readonly silver?: Readonly<Record<string, ModelDefinition>>;
  readonly gold?: Readonly<Record<string, ModelDefinition>>;
  readonly publish?: readonly PublishedMetric[];
  /** When it runs by itself, under `ingot start`; by name. */
  readonly schedules?: Readonly<Record<string, Schedule>>;
  /** Creates and fills the source database; does nothing where that is done. */
  readonly bootstrap?: (context: ProgramContext, options: BootstrapOptions) => Promise<void>;
  /** Tests of its models, which `ingot test` runs. */
  readonly tests?: () => Promise<readonly ModelTest[]>;
  /** Goes on changing the source as the real system would. */
  readonly simulate?: (context: ProgramContext, options: SimulateOptions) => Promise<SimulateResult>;
}

/** Tables of a Postgres database as the source of a pipeline. */
export function postgres(options: Omit<PostgresSource, "kind">): PostgresSource {
  return { kind: "postgres", ...options };
}
