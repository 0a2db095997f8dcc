/**
 * One table on its way into bronze: it gives out ranges to be read and commits them as they come in, one commit after
 * the other, each with the record of what is in bronze then. A table without key cannot tell a row that it has from
 * one that it lacks: its ranges wait for each other and are committed together.
 */
import type { AddFile } from "../../../lakehouse/delta/actions.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import { joinStaged, type Staged } from "../../../lakehouse/delta/stage.ts";
import { commitRows, type IngestContext, type IngestReport, type TableWork } from "../ingestion.ts";
import type { PositionState } from "../position.ts";
import type { SourceMoment } from "../postgres/snapshot.ts";
import type { Extent } from "./extent.ts";
import { doneBlocks, isComplete, type LoadState, withRange } from "./load-state.ts";
import { type Range, Unread } from "./ranges.ts";

/** Where a load begins. */
export interface LoadStart {
  /** What is in bronze already. */
  readonly done: LoadState;
  /** The position of the table while it is loaded and after it. */
  readonly moment: SourceMoment;
  readonly state: Omit<PositionState, "load">;
  /** Files of an earlier load that is not gone on with: the first commit takes them away. */
  readonly removes?: readonly AddFile[];
  /** Said with its progress. */
  readonly note?: string;
}

interface ReadRange {
  readonly range: Range;
  readonly staged: Staged;
}

/** The longest list of steps for a table, however large it is. */
const MOST_STEPS = 2000;

export class TableLoad {
  readonly work: TableWork;
  /** Bytes that this run has to read, as far as the catalog knows. */
  readonly totalBytes: number | undefined;
  readonly note: string | undefined;
  private readonly context: IngestContext;
  private readonly extent: Extent;
  private readonly start: LoadStart;
  private readonly unread: Unread | undefined;
  private wholeIsUnread: boolean;
  private done: LoadState;
  private base: Snapshot | undefined;
  private removes: readonly AddFile[] | undefined;
  private reading = 0;
  private ready: ReadRange[] = [];
  private committing: Promise<void> = Promise.resolve();
  private failure: { readonly error: unknown } | undefined;
  private rows = 0;
  private bytes = 0;

  constructor(context: IngestContext, work: TableWork, extent: Extent, start: LoadStart) {
    this.context = context;
    this.work = work;
    this.extent = extent;
    this.start = start;
    this.done = start.done;
    this.base = work.base;
    this.removes = start.removes;
    this.note = start.note;
    this.wholeIsUnread = extent.leaves.length === 0;
    if (!this.wholeIsUnread) this.unread = new Unread(extent.leaves, doneBlocks(start.done));
    this.totalBytes = this.unread?.bytes ?? extent.bytes;
  }

  /** Rows that this run has to read, as the catalog has it. */
  get expectedRows(): number | undefined {
    const { estimatedRows } = this.work.table;
    const { bytes } = this.extent;
    if (estimatedRows === undefined || !bytes || this.totalBytes === undefined) return estimatedRows;
    return estimatedRows * (this.totalBytes / bytes);
  }

  /** Bytes that nobody has been given to read. */
  get unreadBytes(): number {
    return this.unread?.bytes ?? (this.wholeIsUnread ? (this.extent.bytes ?? 0) : 0);
  }

  /** The next range of about so many bytes; undefined where there is none left to give. */
  take(bytes: number): Range | undefined {
    if (this.failure !== undefined) return undefined;
    const range = this.unread?.take(Math.max(bytes, 1)) ?? this.takeWhole();
    if (range !== undefined) this.reading += 1;
    return range;
  }

  /** Bytes of a range of this table where nothing else bounds it. */
  rangeBytes(wanted: number): number {
    return Math.max(wanted, (this.extent.bytes ?? 0) / MOST_STEPS);
  }

  /** A range that could not be read is to be read in smaller ones. */
  giveBack(range: Range): void {
    this.reading -= 1;
    this.unread?.giveBack(range);
  }

  /** Takes what was read of a range; resolves when that is durable, waits for the rest of the table, or has failed. */
  async add(range: Range, staged: Staged, bytes: number): Promise<void> {
    this.reading -= 1;
    this.bytes += bytes;
    this.ready.push({ range, staged });
    this.committing = this.committing.then(() =>
      this.commitReady().catch((error: unknown) => {
        this.failure ??= { error };
      }),
    );
    await this.committing;
  }

  /** Ends the load of this table: no more ranges are given out. What was committed stays. */
  async fail(error: unknown): Promise<void> {
    this.reading -= 1;
    this.failure ??= { error };
    if (!this.isKeyed) await this.discardReady();
  }

  /** What came of it; throws what it failed of. */
  report(): IngestReport {
    if (this.failure) throw this.failure.error;
    const { task } = this.work;
    const { rows, bytes, version = 0 } = this;
    return { table: task, mode: "load", status: "committed", rows, deleted: 0, bytes, version };
  }

  /** Whether nothing is left to do: all of it is in bronze, or it failed. */
  get isOver(): boolean {
    return this.reading === 0 && this.ready.length === 0 && (this.failure !== undefined || this.isGivenOut);
  }

  /** Version of the bronze table after the load; undefined where it failed. */
  get version(): number | undefined {
    return this.failure === undefined ? this.base?.version : undefined;
  }

  private get isGivenOut(): boolean {
    return !this.wholeIsUnread && this.unread?.isEmpty !== false;
  }

  private get isKeyed(): boolean {
    return this.work.table.key.length > 0;
  }

  private takeWhole(): Range | undefined {
    if (!this.wholeIsUnread) return undefined;
    this.wholeIsUnread = false;
    return { parts: [], bytes: this.extent.bytes ?? 0 };
  }

  /** Commits all ranges that have come in since the last commit began. */
  private async commitReady(): Promise<void> {
    const { ready, context, work } = this;
    if (ready.length === 0) return;
    if (!this.isKeyed && this.failure !== undefined) return this.discardReady();
    if (!this.isKeyed && (this.reading > 0 || !this.isGivenOut)) return;
    this.ready = [];
    const done = ready.reduce((state, { range }) => withRange(state, range), this.done);
    const staged = joinStaged(ready.map((read) => read.staged));
    const load = isComplete(done, this.extent.leaves) ? undefined : done;
    const { moment, state } = this.start;
    const version = await commitRows(context, work, {
      base: this.base,
      staged,
      ...(this.removes === undefined ? {} : { removes: this.removes }),
      mode: "load",
      moment,
      state: { ...state, load },
    });
    this.removes = undefined;
    this.done = done;
    this.rows += staged.rows;
    this.base = await this.snapshotOf(version);
  }

  /** The version that was just committed, and not what others may have made of it since. */
  private async snapshotOf(version: number): Promise<Snapshot> {
    const table = this.context.lake.table(this.work.path);
    const newest = await table.snapshot();
    return newest?.version === version ? newest : table.existingSnapshot(version);
  }

  private async discardReady(): Promise<void> {
    const staged = joinStaged(this.ready.map((read) => read.staged));
    this.ready = [];
    // Files that no commit names harm nobody; a failure to delete them must not hide the failure before it.
    await this.context.lake
      .table(this.work.path)
      .discard(staged)
      .catch(() => {});
  }
}
