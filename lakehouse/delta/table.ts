/** One Delta table: its versions, staging of rows, commits, history. The rest of the kernel works through this. */
import type { DuckDb, Session } from "../duckdb/duckdb.ts";
import { TerminalError } from "../errors.ts";
import type { ObjectStore } from "../store/store.ts";
import type { Action, AddFile, CommitInfo, DomainMetadata, SetTransaction } from "./actions.ts";
import { checkpointDue } from "./checkpoint/cadence.ts";
import { writeCheckpoint } from "./checkpoint/write.ts";
import { type CommitOutcome, commit, type Proposal } from "./commit.ts";
import type { Reads } from "./conflict.ts";
import { checkingRules, checkRules, guarded, type Rule, rulesOf } from "./constraints.ts";
import { type Layout, layoutOf, plainLayout } from "./layout.ts";
import { loadSnapshot, refreshSnapshot } from "./load.ts";
import { cleanLog } from "./log/clean.ts";
import { readHistory } from "./log/history.ts";
import { readLastCheckpoint } from "./log/last-checkpoint.ts";
import { versionAt } from "./log/time-travel.ts";
import { newMetadata, removeOf, withSchema } from "./metadata.ts";
import { checkFeedNames, featuresFor } from "./properties.ts";
import { checkWritable, featuresOf, protocolWith } from "./protocol.ts";
import { parseSchema, type StructType, sameColumns, typedSql } from "./schema.ts";
import type { Snapshot } from "./snapshot.ts";
import { discardFiles, type Staged, type StageOptions, stage } from "./stage.ts";

/** Old entries of the log are looked for so often, after a checkpoint. */
const DAY_MS = 24 * 3600 * 1000;

export interface TableOptions {
  /** A checkpoint is written after every so many commits; by default as the table's size and properties ask. */
  readonly checkpointInterval?: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** Kept in the history with every commit of this table object. */
  readonly userMetadata?: string;
  /** Told when a checkpoint could not be written or the log not be cleaned; the commit before stands all the same. */
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
  readonly reads: Reads;
  readonly transactions?: readonly SetTransaction[];
  readonly domains?: readonly DomainMetadata[];
  /** Comment of a new table. */
  readonly description?: string;
}

/** One row of a table's history. */
export interface HistoryEntry extends CommitInfo {
  readonly version: number;
  /** Milliseconds since the epoch. */
  readonly committedAt: number;
  readonly addedFiles: number;
  readonly removedFiles: number;
}

export class DeltaTable {
  readonly store: ObjectStore;
  readonly duckdb: DuckDb;
  /** The clock: milliseconds since the epoch. */
  readonly now: () => number;
  private readonly checkpointInterval: number | undefined;
  private readonly onCheckpointError: (error: unknown) => void;
  private readonly userMetadata: { readonly userMetadata?: string };
  private newest: Snapshot | undefined;
  /** Version of the newest checkpoint that this object knows of. */
  private lastCheckpoint: number | undefined;
  private lastCleaning = 0;

  constructor(store: ObjectStore, duckdb: DuckDb, options: TableOptions = {}) {
    this.store = store;
    this.duckdb = duckdb;
    this.checkpointInterval = options.checkpointInterval;
    this.now = options.now ?? Date.now;
    this.onCheckpointError = options.onCheckpointError ?? (() => {});
    this.userMetadata = options.userMetadata === undefined ? {} : { userMetadata: options.userMetadata };
  }

  /** The newest version, or the one asked for; undefined where there is no table. */
  async snapshot(version?: number): Promise<Snapshot | undefined> {
    if (version !== undefined) return loadSnapshot(this.store, this.duckdb, version);
    this.newest = this.newest
      ? await refreshSnapshot(this.store, this.duckdb, this.newest)
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

  /** The version of this number, or the newest at or before an instant; the newest of all by default. */
  async at({
    version,
    timestamp,
  }: {
    readonly version?: number;
    readonly timestamp?: Date;
  }): Promise<Snapshot> {
    if (timestamp === undefined) return this.existingSnapshot(version);
    return this.existingSnapshot(await versionAt(this.store, timestamp.getTime()));
  }

  /**
   * Writes the rows of a query as data files of this table. They are invisible until a commit names them. `shape`:
   * the columns of a new table, or the metadata of the commit that will name the files, whose constraints hold, as do
   * `rules` in addition.
   */
  async stage(
    session: Session,
    sql: string,
    shape: StructType | Pick<Snapshot, "metadata" | "schema">,
    options: Omit<StageOptions, "now"> & { readonly rules?: readonly Rule[] } = {},
  ): Promise<Staged> {
    if ("fields" in shape) return this.stageAs(session, sql, plainLayout(shape), options);
    const rules = [...rulesOf(shape.metadata, shape.schema), ...(options.rules ?? [])];
    await checkRules(this.duckdb, rules, shape.schema);
    // What is checked are the values that will be stored.
    const checked = guarded(typedSql(sql, shape.schema.fields), rules);
    return checkingRules(this.store.root, () =>
      this.stageAs(session, checked, layoutOf(shape.metadata, shape.schema), options),
    );
  }

  /** As `stage`, without a look at constraints: for rows that are in the table already. */
  stageAs(
    session: Session,
    sql: string,
    layout: Layout,
    options: Omit<StageOptions, "now"> = {},
  ): Promise<Staged> {
    return stage(this.store, session, sql, layout, { ...options, now: this.now() });
  }

  /** Commits a write: all of it, or none. */
  async write(write: Write): Promise<CommitOutcome> {
    const outcome = await this.commit({
      base: write.base,
      operation: write.operation,
      ...(write.parameters ? { operationParameters: write.parameters } : {}),
      operationMetrics: {
        numFiles: String(write.staged.files.length),
        numOutputRows: String(write.staged.rows),
        numOutputBytes: String(write.staged.bytes),
      },
      actions: actionsOf(write, this.now()),
      reads: write.reads,
    });
    if (outcome.status === "lost") await this.discard(write.staged);
    return outcome;
  }

  /** Commits actions that were decided on a snapshot. Files that they name must have been written. */
  async commit(proposal: Proposal): Promise<CommitOutcome> {
    const now = this.now();
    if (proposal.base) checkProposal(proposal, proposal.base, this.store.root);
    const complete = { ...this.userMetadata, ...proposal, actions: withProtocol(proposal, this.store.root) };
    const outcome = await commit(this.store, complete, now);
    if (outcome.status === "committed") await this.checkpointIfDue(outcome.version, proposal.base, now);
    return outcome;
  }

  /** Deletes staged files that no commit will name. Never for a commit whose outcome is not known. */
  async discard(staged: Pick<Staged, "files">): Promise<void> {
    await discardFiles(this.store, staged.files);
  }

  /** The newest commits whose entries are still there, newest first. */
  async history(limit = 1000): Promise<HistoryEntry[]> {
    const commits = await readHistory(this.store, limit);
    return commits.map(({ commitInfo, ...entry }) => ({ ...commitInfo, ...entry }));
  }

  private async checkpointIfDue(version: number, base: Snapshot | undefined, now: number): Promise<void> {
    if (base === undefined) return;
    try {
      if (!(await this.isCheckpointDue(version, base))) return;
      const snapshot = await this.existingSnapshot(version);
      await writeCheckpoint(this.store, this.duckdb, snapshot, now);
      this.lastCheckpoint = version;
      if (now - this.lastCleaning < DAY_MS) return;
      this.lastCleaning = now;
      await cleanLog(this.store, this.duckdb, snapshot, now);
    } catch (error) {
      // The commit stands. The log without this checkpoint is longer to read, not wrong.
      this.onCheckpointError(error);
    }
  }

  private async isCheckpointDue(version: number, { metadata, files }: Snapshot): Promise<boolean> {
    if (this.checkpointInterval !== undefined) return version % this.checkpointInterval === 0;
    if (!checkpointDue({ version, metadata, files }, this.lastCheckpoint)) return false;
    // Another writer may have written one.
    this.lastCheckpoint = (await readLastCheckpoint(this.store))?.version ?? -1;
    return checkpointDue({ version, metadata, files }, this.lastCheckpoint);
  }
}

/** Refuses what the table's protocol or properties do not allow. */
function checkProposal({ actions, operation }: Proposal, base: Snapshot, where: string): void {
  checkWritable(base.protocol, base.metadata, where);
  const features = featuresOf(base.protocol);
  if (actions.some((a) => "domainMetadata" in a) && !features.has("domainMetadata")) {
    throw new TerminalError(`${where} was not made by Ingot: its protocol has no domain metadata`, {
      code: "DELTA_UNSUPPORTED_FEATURE",
      value: "domainMetadata",
      next: "Move that table away, so that it is made anew.",
    });
  }
  for (const action of actions) {
    const recorded = "txn" in action ? base.transactions.get(action.txn.appId)?.version : undefined;
    if (recorded === undefined || !("txn" in action) || action.txn.version >= recorded) continue;
    throw new TerminalError(`${action.txn.appId} has recorded ${recorded} in ${where} already`, {
      code: "DELTA_TRANSACTION_BACK",
      value: action.txn.version,
      allowed: `${recorded} or more`,
      next: "These rows are in the table; go on behind what is recorded.",
    });
  }
  const removesData = actions.some((a) => "remove" in a && a.remove.dataChange);
  if (removesData && base.metadata.configuration["delta.appendOnly"] === "true") {
    throw new TerminalError(`${where} is append-only`, {
      code: "DELTA_APPEND_ONLY",
      value: operation,
      allowed: "commits that remove nothing",
      next: "Unset the table property delta.appendOnly, or write to another table.",
    });
  }
}

/** The proposal's actions, with the protocol that its columns and properties ask for. */
function withProtocol({ actions, base }: Proposal, where: string): readonly Action[] {
  const [change] = actions.flatMap((a) => ("metaData" in a ? [a.metaData] : []));
  if (change === undefined) return actions;
  const schema = parseSchema(change.schemaString, where);
  checkFeedNames(change.configuration, schema);
  if (actions.some((a) => "protocol" in a)) return actions;
  const features = featuresFor(change.configuration, schema);
  const protocol = protocolWith(features, base?.protocol);
  return protocol === base?.protocol ? actions : [{ protocol }, ...actions];
}

/** The state that a write moves to, as actions. */
function actionsOf(write: Write, now: number): Action[] {
  const actions: Action[] = [];
  const { base, schema, description } = write;
  if (base === undefined) {
    const features = [
      ...featuresFor({}, schema),
      ...((write.domains ?? []).length > 0 ? ["domainMetadata"] : []),
    ];
    actions.push({ protocol: protocolWith(features) });
    actions.push({ metaData: newMetadata(schema, now, description === undefined ? {} : { description }) });
  } else if (!sameColumns(base.schema, schema)) {
    actions.push({ metaData: withSchema(base.metadata, schema) });
  }
  for (const txn of write.transactions ?? []) actions.push({ txn });
  for (const domainMetadata of write.domains ?? []) actions.push({ domainMetadata });
  for (const file of write.removes ?? []) actions.push({ remove: removeOf(file, now) });
  for (const add of write.staged.files) actions.push({ add });
  return actions;
}
