/** What a load says of itself: rows and bytes by table and in all, and how many there will be. */
import type { ProgressListener } from "../../../lakehouse/progress.ts";
import type { Range } from "./ranges.ts";
import type { TableLoad } from "./table-load.ts";

/** What has arrived of one table. */
interface Arrivals {
  rows: number;
  bytes: number;
  /** Rows and source bytes of the ranges that were read to their end. */
  readRows: number;
  readBytes: number;
  /** Rows and bytes so far of ranges that are being read. */
  readonly current: Map<Range, { readonly rows: number; readonly bytes: number }>;
}

/** Milliseconds between events of all tables together. */
const TOTAL_EVERY = 100;

export class LoadProgress {
  private totalSaidAt = Number.NEGATIVE_INFINITY;
  private readonly onProgress: ProgressListener;
  private readonly task: string;
  private readonly tables = new Map<TableLoad, Arrivals>();
  private readonly showsTotal: boolean;

  /** `task`: name under which all tables together are shown, where they are several. */
  constructor(onProgress: ProgressListener, task: string, loads: readonly TableLoad[]) {
    this.onProgress = onProgress;
    this.task = task;
    this.showsTotal = loads.length > 1;
    for (const load of loads)
      this.tables.set(load, { rows: 0, bytes: 0, readRows: 0, readBytes: 0, current: new Map() });
  }

  /** Bytes and rows so far of a range that is being read. */
  arrived(load: TableLoad, range: Range, bytes: number, rows: number, note = load.note): void {
    const table = this.tables.get(load);
    if (table === undefined) return;
    const before = table.current.get(range);
    table.rows += rows - (before?.rows ?? 0);
    table.bytes += bytes - (before?.bytes ?? 0);
    table.current.set(range, { rows, bytes });
    const { task } = load.work;
    const total = this.estimate(load, table);
    this.onProgress({
      task,
      state: "running",
      rows: table.rows,
      bytes: table.bytes,
      ...(total === undefined ? {} : { totalRows: total }),
      ...(note === undefined ? {} : { note }),
    });
    this.sayTotal("running");
  }

  /** A range was read to its end; `kept` is false where it will be read again. */
  read(load: TableLoad, range: Range, kept: boolean): void {
    const table = this.tables.get(load);
    const arrivals = table?.current.get(range);
    if (table === undefined) return;
    table.current.delete(range);
    if (kept) {
      table.readRows += arrivals?.rows ?? 0;
      table.readBytes += range.bytes;
    } else {
      table.rows -= arrivals?.rows ?? 0;
      table.bytes -= arrivals?.bytes ?? 0;
    }
  }

  done(load: TableLoad, version: number): void {
    const { rows, bytes } = this.tables.get(load) ?? { rows: 0, bytes: 0 };
    this.onProgress({ task: load.work.task, state: "done", rows, bytes, note: `version ${version}` });
  }

  failed(load: TableLoad): void {
    this.onProgress({ task: load.work.task, state: "failed" });
  }

  end(state: "done" | "failed"): void {
    this.sayTotal(state);
  }

  private sayTotal(state: "running" | "done" | "failed"): void {
    const now = performance.now();
    if (!this.showsTotal || (state === "running" && now - this.totalSaidAt < TOTAL_EVERY)) return;
    this.totalSaidAt = now;
    let [rows, bytes, total]: [number, number, number | undefined] = [0, 0, 0];
    for (const [load, table] of this.tables) {
      rows += table.rows;
      bytes += table.bytes;
      const estimate = this.estimate(load, table);
      total = estimate === undefined || total === undefined ? undefined : total + estimate;
    }
    const totals = total === undefined ? {} : { totalRows: total };
    this.onProgress({ task: this.task, state, rows, bytes, ...totals });
  }

  /** Rows that this run will have read: by what the ranges that were read held, before that by the catalog. */
  private estimate(load: TableLoad, table: Arrivals): number | undefined {
    const { totalBytes } = load;
    if (load.isOver) return table.rows;
    const estimate =
      totalBytes !== undefined && table.readBytes > 0
        ? (table.readRows / table.readBytes) * totalBytes
        : load.expectedRows;
    return estimate === undefined ? undefined : Math.round(Math.max(estimate, table.rows));
  }
}
