/**
 * Change capture: transactions from a replication slot into bronze, in the order of their commits, each whole, each
 * once. Rows are gathered while the batch before is being committed. Every table remembers with its rows how far it is,
 * and passes over what it has when the slot starts again further back; the slot is acknowledged when all tables of a
 * batch have committed.
 */
import { rm } from "node:fs/promises";
import { makeScratch } from "../../../lakehouse/scratch.ts";
import type { ChangeSink, Relation, Tuple } from "../postgres/replication/pgoutput.ts";
import { ReplicationStream } from "../postgres/replication/stream.ts";
import { Batch } from "./batch.ts";
import type { Captured, CaptureOptions, TableCount } from "./capture-options.ts";
import type { CapturedTable } from "./captured-table.ts";
import { commitTables, stageRows } from "./commit-rows.ts";
import { differs } from "./differs.ts";
import { readDrift } from "./drift-record.ts";
import { requireFormer, requireKey } from "./former-row.ts";
import { messageTuple } from "./message-row.ts";
import { empties, Relations } from "./relations.ts";
import type { Operation, RowFile } from "./row-file.ts";
import { ReceivedTransaction } from "./transaction.ts";

export class Capture implements ChangeSink {
  readonly counts = new Map<CapturedTable, TableCount>();
  private readonly options: CaptureOptions;
  private readonly relations: Relations;
  private stream: ReplicationStream | undefined;
  private readonly folder: string;
  private batches = 0;
  private batch: Batch;
  private flushing: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private readonly transaction: ReceivedTransaction;
  /** Where a catching up ends, and what to call then. */
  private target: { readonly lsn: number; readonly reached: () => void } | undefined;

  private constructor(options: CaptureOptions, folder: string) {
    this.options = options;
    this.folder = folder;
    this.batch = new Batch(folder, 0);
    this.relations = new Relations(options.client, options.tables);
    this.transaction = new ReceivedTransaction(options.currentXid);
  }

  static async open(options: CaptureOptions): Promise<Capture> {
    const capture = new Capture(options, await makeScratch());
    try {
      capture.stream = await ReplicationStream.open({
        connectionString: options.connectionString,
        slot: options.slot,
        publications: options.publications,
        selection: options.selection ?? {},
        sink: capture,
        onKeepalive: (walEnd) => capture.keepalive(walEnd),
      });
      return capture;
    } catch (error) {
      await rm(capture.folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Takes everything that committed before `lsn` and ends the stream. */
  async until(lsn: number): Promise<void> {
    const reached = new Promise<void>((resolve) => {
      this.target = { lsn, reached: resolve };
    });
    this.stream?.askPosition();
    await this.finish(Promise.race([reached, this.failed()]));
  }

  /** Takes what comes until the signal, then commits what is whole and ends the stream. */
  async follow(signal: AbortSignal): Promise<void> {
    const stopped = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    await this.finish(Promise.race([stopped, this.failed()]));
  }

  private failed(): Promise<void> {
    return this.stream?.ended ?? Promise.resolve();
  }

  private async finish(end: Promise<void>): Promise<void> {
    try {
      await end;
      this.stream?.pause();
      await this.flushing;
      if (this.batch.endLsn > 0 && !this.transaction.isOpen) await this.flush();
    } finally {
      clearTimeout(this.timer);
      await this.stream?.stop();
      await this.flushing?.catch(() => {});
      await this.batch.remove();
      await rm(this.folder, { recursive: true, force: true });
    }
  }

  begin(lsn: number, time: number, xid: number): void {
    this.transaction.begin(lsn, time, xid);
  }

  relation(relation: Relation): void | Promise<void> {
    if (this.relations.announce(relation, this.transaction.lsn)) return this.shape(relation.oid);
  }

  insert(relation: number, row: Tuple): void | Promise<void> {
    return this.take(relation, (found) => {
      if (this.transaction.isNewTo(found.table)) requireKey(found);
      return this.write(found, "i", row);
    });
  }

  update(relation: number, row: Tuple, old: Tuple | undefined): void | Promise<void> {
    return this.take(relation, (found) => {
      const { key } = found.shape;
      if (this.transaction.isNewTo(found.table)) requireFormer(found, old);
      if (old !== undefined && !found.table.bringsWholeRows) old.isKeyOnly = true;
      // Without a key the former row says which one this was; with one, it does where the key changed.
      const moved = old !== undefined && (key.length === 0 || key.some((at) => differs(old, row, at)));
      if (moved) this.write(found, "d", old);
      return this.write(found, "u", row, old, moved);
    });
  }

  delete(relation: number, old: Tuple): void | Promise<void> {
    return this.take(relation, (found) => {
      if (this.transaction.isNewTo(found.table)) requireFormer(found, old);
      const file = this.write(found, "d", old);
      if (file !== undefined) this.countOf(found.table).deleted += 1;
      return file;
    });
  }

  async truncate(relations: readonly number[]): Promise<void> {
    for (const relation of relations) {
      const table = this.relations.get(relation)?.table;
      if (table === undefined || empties(table, relations)) {
        await this.take(relation, (found) => this.write(found, "t", undefined));
      } else if (this.transaction.isNewTo(table)) this.options.onUnchecked?.();
    }
  }

  message(prefix: string, content: Buffer, transactional: boolean, endLsn: number): void | Promise<void> {
    const { messages } = this.options;
    if (messages === undefined) return;
    const row = messageTuple(prefix, content, transactional);
    if (transactional) return this.makeRoom(this.write(messages, "i", row));
    this.transaction.standAlone(endLsn);
    const waits = this.makeRoom(this.write(messages, "i", row));
    return waits === undefined ? this.whole(endLsn) : waits.then(() => this.whole(endLsn));
  }

  commit(endLsn: number): void | Promise<void> {
    this.transaction.isOpen = false;
    return this.whole(endLsn);
  }

  /** Everything before `endLsn` was received whole. */
  private whole(endLsn: number): void | Promise<void> {
    const { batch, options } = this;
    batch.endLsn = endLsn;
    if (batch.tables.size === 0) {
      this.reach(endLsn);
      return;
    }
    if (batch.since === undefined) {
      batch.since = Date.now();
      this.armTimer();
    }
    const full = batch.rows >= options.limits.rows || batch.bytes >= options.limits.bytes;
    const late = Date.now() - batch.since >= options.limits.milliseconds;
    if (full && this.flushing !== undefined) return this.flushing.then(() => this.startFlush(endLsn));
    if ((full || late) && this.flushing === undefined) return this.startFlush(endLsn);
    this.reach(endLsn);
  }

  /** A change of a relation: `write` puts it into a file, once it is known what its fields become. */
  private take(relation: number, write: (found: Captured) => RowFile | undefined): void | Promise<void> {
    const found = this.relations.get(relation);
    if (found === undefined) return;
    if (!this.relations.waits(relation, this.transaction.lsn)) return this.makeRoom(write(found));
    // The tuples of the change stay as they are: the stream stands still meanwhile.
    return this.shape(relation).then(() => this.take(relation, write));
  }

  private async shape(relation: number): Promise<void> {
    // Columns may be changed in bronze: not while rows of the former ones are on their way.
    await this.flushing;
    const captured = await this.relations.shape(relation);
    if (captured !== undefined && readDrift(captured.table.base)?.unchecked) this.options.onUnchecked?.();
  }

  /**
   * Writes a change down, with its place in the transaction. Answers the file; undefined where the table has the change
   * already: it is counted nevertheless, so that a row has the same place however often it is sent.
   */
  private write(
    { table, shape }: Captured,
    operation: Operation,
    row: Tuple | undefined,
    old?: Tuple,
    rekeyed = false,
  ): RowFile | undefined {
    this.transaction.sequence += 1;
    if (!this.transaction.isNewTo(table)) return undefined;
    const file = this.batch.rowsOf(table, shape);
    file.write(operation, this.transaction.sequence, this.transaction.text, row, old, rekeyed);
    this.batch.rows += 1;
    this.countOf(table).rows += 1;
    return file;
  }

  /** A long transaction waits as data files for its end. */
  private makeRoom(file: RowFile | undefined): void | Promise<void> {
    if (file === undefined) return;
    const { bytes } = this.options.limits;
    if (file.size > bytes || ((this.batch.rows & 0xfff) === 0 && this.batch.bytes > bytes))
      return this.stageAhead();
  }

  private countOf(table: CapturedTable): TableCount {
    const count = this.counts.get(table) ?? { rows: 0, deleted: 0, bytes: 0 };
    this.counts.set(table, count);
    return count;
  }

  private async stageAhead(): Promise<void> {
    await this.flushing;
    for (const [table, rows] of this.batch.tables) await stageRows(this.options.lake, table, rows);
  }

  private onTimer(): void {
    // Within a transaction, or a commit, its end looks at the clock.
    if (this.transaction.isOpen || this.flushing !== undefined || this.batch.tables.size === 0) return;
    this.startFlush(this.batch.endLsn);
  }

  /** Begins to commit what is there; the next rows go into another batch. */
  private startFlush(endLsn: number): void {
    this.flush().catch((error: unknown) => this.stream?.fail(error));
    this.reach(endLsn);
  }

  private flush(): Promise<void> {
    clearTimeout(this.timer);
    const batch = this.batch;
    this.batch = new Batch(this.folder, ++this.batches);
    const run = this.commitBatch(batch).finally(() => {
      this.flushing = undefined;
      this.armTimer();
    });
    this.flushing = run;
    run.catch(() => {});
    return run;
  }

  private armTimer(): void {
    clearTimeout(this.timer);
    const { since } = this.batch;
    if (since === undefined) return;
    const wait = Math.max(0, since + this.options.limits.milliseconds - Date.now());
    this.timer = setTimeout(() => this.onTimer(), wait);
  }

  private async commitBatch(batch: Batch): Promise<void> {
    const { lake, concurrency, onProgress, onCommitted } = this.options;
    try {
      await commitTables(lake, batch, concurrency, (table, bytes) => {
        const count = this.countOf(table);
        count.bytes += bytes;
        onProgress({ task: table.task, state: "running", rows: count.rows, bytes: count.bytes });
      });
      this.stream?.acknowledge(batch.endLsn);
      onCommitted?.({ rows: batch.rows, endLsn: batch.endLsn });
    } finally {
      await batch.remove();
    }
  }

  /** The server has looked through its WAL up to here, and what concerned us was sent before. */
  private keepalive(walEnd: number): void {
    if (this.transaction.isOpen) return;
    this.reach(walEnd);
    if (this.batch.tables.size === 0 && this.flushing === undefined) this.stream?.acknowledge(walEnd);
    const { target } = this;
    if (target !== undefined && walEnd < target.lsn) setTimeout(() => this.stream?.askPosition(), 20).unref();
  }

  private reach(lsn: number): void {
    if (this.target === undefined || lsn < this.target.lsn) return;
    const { reached } = this.target;
    this.target = undefined;
    this.stream?.pause();
    reached();
  }
}
