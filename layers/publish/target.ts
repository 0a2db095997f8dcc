/** The port to wherever consumers read metrics. Every target keeps the same promise: whole versions, never backwards. */
import type { PublishedForm } from "../definition/published.ts";

/** A bronze table that a version was made of. */
export interface SourcePosition {
  /** Version of the bronze table. */
  readonly version: number;
  /** Up to where the source had been taken in this version, as Postgres writes it. */
  readonly lsn?: string;
  /** When that was at the source, as Postgres writes it; not known of changes that were captured since the last read. */
  readonly at?: string;
}

/** What a version says of itself. */
export interface VersionStamp {
  /** `pipeline/metric` */
  readonly set: string;
  /** Orders the versions of a set; see `versionToken`. */
  readonly token: string;
  /** Version of the gold table. */
  readonly version: number;
  /** ISO 8601. */
  readonly publishedAt: string;
  /** ISO 8601; after it the version counts as absent. */
  readonly expiresAt?: string | undefined;
  /** By bronze table: what was in it when the gold table was made. */
  readonly source?: Readonly<Record<string, SourcePosition>> | undefined;
}

export type PublishedRow = Readonly<Record<string, unknown>>;

/** One version of one published set, whole. */
export interface PublishedVersion extends VersionStamp {
  readonly rows: readonly PublishedRow[];
}

/** Rows on their way to a target, one array for each of what a form needs. */
export interface RowBatch {
  /** Each row as JSON. */
  readonly json: readonly string[];
  /** Of lookups, hashes and rankings: key, field or member. */
  readonly ids: readonly string[];
  /** Of rankings and series. */
  readonly scores: readonly number[];
  /** Of scalars and hashes with fields; null where the row has no value. */
  readonly values: readonly (string | null)[];
}

/** A column of published rows, with DuckDB's name of its type. */
export interface PublishedColumn {
  readonly name: string;
  readonly type: string;
}

/** A version on its way to a target: its rows are read as they are computed, and again where that is needed. */
export interface Publication extends VersionStamp {
  readonly form: PublishedForm;
  /** What was declared, digested: the same version declared otherwise is published again. */
  readonly fingerprint: string;
  /** Prefix of the set's keys, where one was declared. */
  readonly key?: string | undefined;
  readonly columns: readonly PublishedColumn[];
  rows(): AsyncIterable<RowBatch>;
}

/**
 * `published`: it is the newest now. `unchanged`: it was already there. `stale`: a newer one is, this one was refused.
 * `held`: it was taken back by a rollback; newer data will be published.
 */
export type PublishStatus = "published" | "unchanged" | "stale" | "held";

export interface PublishOutcome {
  readonly status: PublishStatus;
  readonly rows: number;
  /** Rows that had to be written; the others were there already. */
  readonly written: number;
}

/** A version has become the one that readers see. */
export interface VersionEvent extends VersionStamp {
  /** Where to go on from after an interruption. */
  readonly id: string;
  /** Whether it is an older version, shown again on purpose. */
  readonly rolledBack: boolean;
}

export interface SubscribeOptions {
  /** Id of the last event that was dealt with; without it the version of now comes first. */
  readonly from?: string;
}

export interface Subscription {
  /** Resolves once it is closed; rejects with what ended it. */
  readonly done: Promise<void>;
  /** Ends it; a callback that runs has ended by then. */
  close(): Promise<void>;
}

export interface PublishTarget {
  /** Where this is, for people, without secrets. */
  readonly name: string;
  /** Makes a version visible at once, unless a newer one is there. */
  publish(publication: Publication): Promise<PublishOutcome>;
  /**
   * Shows the version before the current one again; undefined where there is none. The one that was shown stays out;
   * publications of newer data go on.
   */
  rollback(set: string): Promise<VersionStamp | undefined>;
  /** The newest version, whole; undefined where there is none. */
  read(set: string): Promise<PublishedVersion | undefined>;
  /**
   * One row of a set by its key, which is the lookup's columns; undefined where there is none. Redis and files reject with
   * `METRICS_NO_LOOKUP` where the set has another form.
   */
  readRow(set: string, key: readonly string[]): Promise<PublishedRow | undefined>;
  /**
   * Calls for every version that becomes the one to read, in order; where several follow each other while nobody
   * listens, the newest is certain. Never goes back, unless to a rollback. A callback that throws ends it.
   */
  subscribe(
    set: string,
    onVersion: (event: VersionEvent) => void | Promise<void>,
    options?: SubscribeOptions,
  ): Promise<Subscription>;
  close(): Promise<void>;
}

/**
 * Orders versions as text: first by when the gold table was created (a lake made anew starts at version 0 again,
 * and is newer all the same), then by its version.
 */
export function versionToken(createdTime: number, version: number): string {
  return `${String(createdTime).padStart(15, "0")}-${String(version).padStart(15, "0")}`;
}

/** The key of a row as one text: parts cannot run into each other. */
export function rowId(parts: readonly string[]): string {
  const [only, ...others] = parts;
  if (only !== undefined && others.length === 0) return only;
  return parts.map((part) => part.replaceAll("%", "%25").replaceAll(":", "%3A")).join(":");
}
