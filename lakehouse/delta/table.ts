/** One Delta table: reading versions, writing rows, its history. The rest of Ingot uses tables through this. */
import { randomUUID } from "node:crypto";
import type { DuckDb, Session } from "../duckdb/duckdb.ts";
import { TerminalError } from "../errors.ts";
import type { ObjectStore } from "../store/store.ts";
import type { Action, AddFile, CommitInfo, DomainMetadata, SetTransaction } from "./actions.ts";
import { writeCheckpoint } from "./checkpoint.ts";
import { type CommitOutcome, commit } from "./commit.ts";
import { loadSnapshot, refreshSnapshot } from "./load.ts";
import { readHistory } from "./log.ts";
import { checkWritable, newProtocol } from "./protocol.ts";
import { type StructType, sameColumns } from "./schema.ts";
import type { Snapshot } from "./snapshot.ts";
import { type Staged, stage } from "./stage.ts";

export interface TableOptions {
  /** A checkpoint is written after every so many commits. */
  readonly checkpointInterval?: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** Told when a checkpoint could not be written; the commit before it stands all the same. */
  readonly onCheckpointError?: (error: unknown) => void;
}

/** What one commit does to a table, beside the rows it carries. */
export interface Write {
  /** Name of the operation in the table's history: WRITE, MERGE, CREATE OR REPLACE TABLE. */
  readonly operation: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** Snapshot on which the write was decided; undefined creates the table. */
  readonly base: Snapshot | undefined;
  /** Columns of the table after the commit. */
  readonly schema: StructType;
  readonly staged: Staged;
  /** Files that the commit takes away. */
  readonly removes?: Iterable<AddFile>;
  /** What the write was decided on: `nothing` for a blind append. */
  readonly reads: "nothing" | "table";
  readonly transactions?: readonly SetTransaction[];
  readonly domains?: readonly DomainMetadata[];
  /** Properties and comment of a new table. */
  readonly description?: string;
}

/** One row of a table's history. */
export interface HistoryEntry extends CommitInfo {
  readonly version: number;
  readonly addedFiles: number;
  readonly removedFiles: number;
}

export class DeltaTable {
  readonly store: ObjectStore;
  private readonly duckdb: DuckDb;
  private readonly checkpointInterval: number;
  private readonly now: () => number;
  private readonly onCheckpointError: (error: unknown) => void;
  private newest: Snapshot | undefined;

  constructor(store: ObjectStore, duckdb: DuckDb, options: TableOptions = {}) {
    this.store = store;
    this.duckdb = duckdb;
    this.checkpointInterval = options.checkpointInterval ?? 10;
    this.now = options.now ?? Date.now;
    this.onCheckpointError = options.onCheckpointError ?? (() => {});
  }

  /** The newest version, or the one asked for; undefined where there is no table. */
  async snapshot(version?: number): Promise<Snapshot | undefined> {
    if (version !== undefined) return loadSnapshot(this.store, this.duckdb, version);
    this.newest = this.newest
      ? await refreshSnapshot(this.store, this.newest)
      : await loadSnapshot(this.store, this.duckdb);
    return this.newest;
  }

  /** As `snapshot`, but a missing table is an error that names it. */
  async existingSnapshot(version?: number): Promise<Snapshot> {
    const snapshot = await this.snapshot(version);
    if (snapshot !== undefined) return snapshot;
    throw new TerminalError(`there is no Delta table at ${this.store.root}`, {
      code: "DELTA_NO_TABLE",
      value: this.store.root,
      allowed: "a folder with a _delta_log inside",
      next: "Check the path; `ingot status` lists the tables of the lake.",
    });
  }

  /** Writes the rows of a query as data files of this table. They are invisible until `write` names them. */
  stage(session: Session, sql: string, schema: StructType): Promise<Staged> {
    return stage(this.store, session, sql, schema, this.now());
  }

  /** Commits a write: all of it, or none. */
  async write(write: Write): Promise<CommitOutcome> {
    const now = this.now();
    if (write.base) checkWrite(write, write.base, this.store.root);
    const outcome = await commit(
      this.store,
      {
        readVersion: write.base?.version ?? -1,
        operation: write.operation,
        ...(write.parameters ? { operationParameters: write.parameters } : {}),
        operationMetrics: {
          numFiles: String(write.staged.files.length),
          numOutputRows: String(write.staged.rows),
          numOutputBytes: String(write.staged.bytes),
        },
        actions: actionsOf(write, now),
        reads: write.reads,
      },
      now,
    );
    if (outcome.status === "committed") await this.checkpointIfDue(outcome.version, now);
    else await this.discard(write.staged);
    return outcome;
  }

  /** Deletes staged files that no commit will name. Never for a commit whose outcome is not known. */
  async discard(staged: Staged): Promise<void> {
    for (const file of staged.files) await this.store.delete(file.path);
  }

  /** The newest commits whose entries are still there, newest first. */
  async history(limit = 1000): Promise<HistoryEntry[]> {
    const commits = await readHistory(this.store, limit);
    return commits.map(({ version, actions }) => {
      const info = actions.find((action) => "commitInfo" in action);
      return {
        version,
        ...(info && "commitInfo" in info ? info.commitInfo : {}),
        addedFiles: actions.filter((action) => "add" in action).length,
        removedFiles: actions.filter((action) => "remove" in action).length,
      };
    });
  }

  private async checkpointIfDue(version: number, now: number): Promise<void> {
    if (version === 0 || version % this.checkpointInterval !== 0) return;
    try {
      const snapshot = await this.snapshot(version);
      if (snapshot) await writeCheckpoint(this.store, this.duckdb, snapshot, now);
    } catch (error) {
      // The commit stands. The log without this checkpoint is longer to read, not wrong.
      this.onCheckpointError(error);
    }
  }
}

/** Refuses what the table's protocol or properties do not allow. */
function checkWrite(write: Write, base: Snapshot, where: string): void {
  checkWritable(base.protocol, base.metadata, where);
  const hasDomains = base.protocol.writerFeatures?.includes("domainMetadata") === true;
  if ((write.domains ?? []).length > 0 && !hasDomains) {
    throw new TerminalError(`${where} was not made by Ingot: its protocol has no domain metadata`, {
      code: "DELTA_UNSUPPORTED_FEATURE",
      value: "domainMetadata",
      next: "Move that table away, so that it is made anew.",
    });
  }
  if (base.metadata.configuration["delta.appendOnly"] === "true" && [...(write.removes ?? [])].length > 0) {
    throw new TerminalError(`${where} is append-only`, {
      code: "DELTA_APPEND_ONLY",
      value: write.operation,
      allowed: "commits that remove nothing",
      next: "Unset the table property delta.appendOnly, or write to another table.",
    });
  }
}

/** The state that a write moves to, as actions. */
function actionsOf(write: Write, now: number): Action[] {
  const actions: Action[] = [];
  const { base } = write;
  if (base === undefined) {
    const domainMetadata = (write.domains ?? []).length > 0;
    actions.push({ protocol: newProtocol({ domainMetadata }) });
  }
  if (base === undefined || !sameColumns(base.schema, write.schema)) {
    actions.push({
      metaData: {
        ...(base?.metadata ?? {
          id: randomUUID(),
          format: { provider: "parquet", options: {} },
          configuration: {},
          createdTime: now,
          ...(write.description ? { description: write.description } : {}),
        }),
        partitionColumns: [],
        schemaString: JSON.stringify(write.schema),
      },
    });
  }
  for (const txn of write.transactions ?? []) actions.push({ txn });
  for (const domainMetadata of write.domains ?? []) actions.push({ domainMetadata });
  for (const file of write.removes ?? []) {
    actions.push({
      remove: {
        path: file.path,
        deletionTimestamp: now,
        dataChange: true,
        extendedFileMetadata: true,
        partitionValues: file.partitionValues,
        size: file.size,
      },
    });
  }
  for (const add of write.staged.files) actions.push({ add });
  return actions;
}
