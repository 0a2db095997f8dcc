/**
 * Change capture: transactions from a replication slot into bronze, in the order of their commits, each whole, each
 * once. Rows are gathered while the batch before is being committed. Every table remembers with its rows how far it is,
 * and passes over what it has when the slot starts again further back; the slot is acknowledged when all tables of a
 * batch have committed.
 */
import { rm } from "node:fs/promises";
import pLimit from "p-limit";
import type pg from "pg";
import type { Lake } from "../../../lakehouse/lake.ts";
import type { ProgressListener } from "../../../lakehouse/progress.ts";
import { makeScratch } from "../../../lakehouse/scratch.ts";
import type { ChangeSink, Relation, Tuple } from "../postgres/replication/pgoutput.ts";
import { ReplicationStream } from "../postgres/replication/stream.ts";
import { Batch } from "./batch.ts";
import type { CapturedTable, Shape } from "./captured-table.ts";
import { commitRows, stageRows } from "./commit-rows.ts";
import { readDrift } from "./drift-record.ts";
import { type RowFile, type TransactionText, transactionText } from "./row-file.ts";
import { type KnownTypes, shapeOf } from "./shape.ts";

/** When a batch is committed: with the first transaction that reaches one of these. */
export interface BatchLimits {
  readonly rows: number;
  /** Also the size from which on the rows of one transaction are staged before its end. */
  readonly bytes: number;
  /** Milliseconds since the batch's first transaction arrived. */
  readonly milliseconds: number;
}

export interface CaptureOptions {
  readonly lake: Lake;
  readonly connectionString: string;
  readonly slot: string;
  readonly publications: readonly string[];
  readonly tables: readonly CapturedTable[];
  /** For questions to the catalogue while the stream goes on. */
  readonly client: pg.Client;
  /** A transaction id, 64 bits, of about now: ids in the stream have only the lower half. */
  readonly currentXid: bigint;
  readonly limits: BatchLimits;
  readonly concurrency: number;
  readonly onProgress: ProgressListener;
  /** Told of each batch once it is durable and acknowledged. */
  readonly onCommitted?: (batch: { readonly rows: number; readonly endLsn: number }) => void;
  /** Told that a table's columns changed in a way that calls for a comparison with the source. */
  readonly onUnchecked?: () => void;
}

/** Rows and bytes that went into a table. */
export interface TableCount {
  rows: number;
  deleted: number;
  bytes: number;
}

export class Capture implements ChangeSink {
  readonly counts = new Map<CapturedTable, TableCount>();
  private readonly options: CaptureOptions;
  /** Tables by the id under which their changes come, with the shape of those. */
  private readonly byOid = new Map<number, { readonly table: CapturedTable; readonly shape: Shape }>();
  private readonly types: KnownTypes = new Map();
  private stream: ReplicationStream | undefined;
  private readonly folder: string;
  private batches = 0;
  private batch: Batch;
  private flushing: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** The transaction that is being received. */
  private open = false;
  private lsn = 0;
  private sequence = 0;
  private text: TransactionText = Buffer.alloc(0);
  private xid: bigint;
  /** Where a catching up ends, and what to call then. */
  private target: { readonly lsn: number; readonly reached: () => void } | undefined;

  private constructor(options: CaptureOptions, folder: string) {
    this.options = options;
    this.folder = folder;
    this.batch = new Batch(folder, 0);
    this.xid = options.currentXid;
  }

  static async open(options: CaptureOptions): Promise<Capture> {
    const capture = new Capture(options, await makeScratch());
    try {
      capture.stream = await ReplicationStream.open({
        connectionString: options.connectionString,
        slot: options.slot,
        publications: options.publications,
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
      if (this.batch.endLsn > 0 && !this.open) await this.flush();
    } finally {
      clearTimeout(this.timer);
      await this.stream?.stop();
      await this.flushing?.catch(() => {});
      await this.batch.remove();
      await rm(this.folder, { recursive: true, force: true });
    }
  }

  begin(lsn: number, time: number, xid: number): void {
    this.open = true;
    this.lsn = lsn;
    this.sequence = 0;
    this.xid = fullXid(this.xid, xid);
    this.text = transactionText(lsn, Number(this.xid), time);
  }

  relation(relation: Relation): void | Promise<void> {
    const known = this.byOid.get(relation.oid);
    if (known !== undefined && sameColumns(known.shape.relation, relation)) return;
    const table = this.find(relation);
    return table === undefined ? undefined : this.shape(table, relation);
  }

  insert(relation: number, row: Tuple): void | Promise<void> {
    return this.take(relation, (table, file) => file.write("i", this.next(table), this.text, row));
  }

  update(relation: number, row: Tuple, old: Tuple | undefined): void | Promise<void> {
    return this.take(relation, (table, file, { key, relation: { replicaIdentity } }) => {
      // Without a key the former row says which one this was; with one, it does where the key changed.
      const moved = old !== undefined && (key.length === 0 || key.some((at) => differs(old, row, at)));
      if (moved) file.write("d", this.next(table), this.text, old);
      // A former key says nothing of the other fields.
      file.write("u", this.next(table), this.text, row, replicaIdentity === "f" ? old : undefined, moved);
    });
  }

  delete(relation: number, old: Tuple): void | Promise<void> {
    return this.take(relation, (table, file) => {
      this.countOf(table).deleted += 1;
      file.write("d", this.next(table), this.text, old);
    });
  }

  async truncate(relations: readonly number[]): Promise<void> {
    for (const relation of relations) {
      await this.take(relation, (table, file) => file.write("t", this.next(table), this.text, undefined));
    }
  }

  message(): void {
    // What applications write into the WAL beside their tables is not theirs to find in one.
  }

  commit(endLsn: number): void | Promise<void> {
    this.open = false;
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

  private find(relation: Relation): CapturedTable | undefined {
    const { tables } = this.options;
    return (
      tables.find((table) => table.relations.includes(relation.oid)) ??
      tables.find((table) => table.source === `${relation.schema}.${relation.name}`)
    );
  }

  private async shape(table: CapturedTable, relation: Relation): Promise<void> {
    // Columns may be changed in bronze: not while rows of the former ones are on their way.
    await this.flushing;
    const shape = await shapeOf(this.options.client, this.types, table, relation);
    this.byOid.set(relation.oid, { table, shape });
    if (readDrift(table.base)?.unchecked) this.options.onUnchecked?.();
  }

  private take(
    relation: number,
    write: (table: CapturedTable, file: RowFile, shape: Shape) => void,
  ): void | Promise<void> {
    const found = this.byOid.get(relation);
    if (found === undefined || this.lsn < found.table.position) return;
    const { table, shape } = found;
    const file = this.batch.rowsOf(table, shape);
    write(table, file, shape);
    this.batch.rows += 1;
    // A long transaction waits as data files for its end.
    const { bytes } = this.options.limits;
    if (file.size > bytes || ((this.batch.rows & 0xfff) === 0 && this.batch.bytes > bytes))
      return this.stageAhead();
  }

  private next(table: CapturedTable): number {
    this.countOf(table).rows += 1;
    return ++this.sequence;
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
    if (this.open || this.flushing !== undefined || this.batch.tables.size === 0) return;
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
    const limit = pLimit(concurrency);
    try {
      const settled = await Promise.allSettled(
        [...batch.tables].map(([table, rows]) =>
          limit(async () => {
            const { bytes } = await commitRows(lake, table, rows, batch.endLsn);
            const count = this.countOf(table);
            count.bytes += bytes;
            onProgress({ task: table.task, state: "running", rows: count.rows, bytes: count.bytes });
          }),
        ),
      );
      const failed = settled.find((outcome) => outcome.status === "rejected");
      if (failed) throw failed.reason;
      this.stream?.acknowledge(batch.endLsn);
      onCommitted?.({ rows: batch.rows, endLsn: batch.endLsn });
    } finally {
      await batch.remove();
    }
  }

  /** The server has looked through its WAL up to here, and what concerned us was sent before. */
  private keepalive(walEnd: number): void {
    if (this.open) return;
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

/** The 64-bit id whose lower half this is, of those around a known one. */
function fullXid(known: bigint, xid: number): bigint {
  const distance = BigInt.asIntN(32, BigInt(xid) - BigInt.asUintN(32, known));
  return known + distance;
}

function differs(a: Tuple, b: Tuple, at: number): boolean {
  if (a.kinds[at] !== b.kinds[at]) return b.kinds[at] !== 0x75;
  const [start, end] = [a.starts[at] ?? 0, a.ends[at] ?? 0];
  return a.buffer.compare(b.buffer, b.starts[at] ?? 0, b.ends[at] ?? 0, start, end) !== 0;
}

function sameColumns(a: Relation, b: Relation): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
