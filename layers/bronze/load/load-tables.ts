/**
 * The historical load: all tables at one moment of the source, the largest first, in ranges that several connections
 * read. Each range is a step that lasts: a load that is killed goes on behind the last one.
 */
import { codeOf } from "../../../lakehouse/errors.ts";
import { isMisread } from "../csv.ts";
import { type Ingestion, type IngestReport, readersOf, type TableWork } from "../ingestion.ts";
import { readError } from "../postgres/read-error.ts";
import { lockTables, measureExtents } from "./extent.ts";
import { LoadProgress } from "./load-progress.ts";
import { startOf } from "./load-start.ts";
import { RANGE_BYTES, RangeSize } from "./range-size.ts";
import { isDivisible, type Range } from "./ranges.ts";
import { RangeReader, WAYS } from "./read-range.ts";
import { TableLoad } from "./table-load.ts";

export interface LoadOptions {
  /** Whether interrupted loads are gone on with (the default), or begun anew. */
  readonly resume?: boolean;
  /** Bytes of a source table that are read and committed in one step. */
  readonly rangeBytes?: number;
}

/** Loads these tables. The failure of one does not stop the others; the outcomes come in the order of the tables. */
export async function loadTables(
  ingestion: Ingestion,
  works: readonly TableWork[],
  options: LoadOptions = {},
): Promise<PromiseSettledResult<IngestReport>[]> {
  if (works.length === 0) return [];
  const { context, pipeline } = ingestion;
  const readers = Array.from({ length: readersOf(ingestion) }, () => new RangeReader(ingestion));
  // There will be something to read for one of them: it connects while the tables are locked and measured.
  void readers[0]?.open();
  try {
    const loads = await prepare(ingestion, works, options);
    const progress = new LoadProgress(context.onProgress, `load ${pipeline.name}`, loads);
    const run = new LoadRun(ingestion, loads, progress, options.rangeBytes ?? RANGE_BYTES);
    await Promise.all(readers.map((reader) => run.read(reader)));
    const settled = await Promise.allSettled(loads.map(async (load) => load.report()));
    progress.end(settled.some((outcome) => outcome.status === "rejected") ? "failed" : "done");
    return settled;
  } finally {
    await Promise.all(readers.map((reader) => reader.close()));
  }
}

/** Locks, measures, and decides for each table where to begin. */
async function prepare(
  { context, shared, pipeline }: Ingestion,
  works: readonly TableWork[],
  { resume = true }: LoadOptions,
): Promise<TableLoad[]> {
  const tables = works.map((work) => work.table);
  await lockTables(shared.control, tables);
  const extents = await measureExtents(shared.control, tables);
  const changes = pipeline.source.changes ?? "query";
  return works.map((work) => {
    const extent = extents.get(work.table) ?? { leaves: [], bytes: undefined };
    const start = startOf(work, extent, shared.moment, { changes, resume });
    return new TableLoad(context, work, extent, start);
  });
}

/** After so many ranges with odd values one after the other, those that follow are expected to have some too. */
const MISREADS = 2;
/** Bytes below which the last ranges are not made smaller for the sake of an even end. */
const LEAST_BYTES = 12 << 20;

class LoadRun {
  private readonly ingestion: Ingestion;
  private readonly queue: readonly TableLoad[];
  private readonly progress: LoadProgress;
  private readonly size: RangeSize;
  private readonly rangeBytes: number;
  private readonly over = new Set<TableLoad>();
  /** Tables whose last ranges could not be read in the fastest way, and how many these were. */
  private readonly misreads = new Map<TableLoad, number>();

  constructor(ingestion: Ingestion, loads: readonly TableLoad[], progress: LoadProgress, rangeBytes: number) {
    const { statementSeconds, megabytesPerSecond } = ingestion.pipeline.source.limits ?? {};
    this.ingestion = ingestion;
    // What cannot be divided and has no known size comes first: it must not be left alone at the end.
    const sizeOf = (load: TableLoad) => load.totalBytes ?? Number.POSITIVE_INFINITY;
    this.queue = [...loads].sort((a, b) => (sizeOf(a) < sizeOf(b) ? 1 : sizeOf(a) > sizeOf(b) ? -1 : 0));
    this.progress = progress;
    this.rangeBytes = rangeBytes;
    const bound =
      megabytesPerSecond === undefined ? undefined : (megabytesPerSecond * 1e6) / readersOf(ingestion);
    this.size = new RangeSize(rangeBytes, statementSeconds, bound);
  }

  /**
   * Reads until every range was given out. A range is committed while the next one is read, so that a commit that
   * fails is known one range later.
   */
  async read(reader: RangeReader): Promise<void> {
    let committed = Promise.resolve();
    try {
      for (let next = this.next(); next !== undefined; next = this.next()) {
        const { load, range } = next;
        const settle = await this.readRange(reader, load, range);
        await committed;
        committed = settle().then(() => this.finish(load));
        // Told to who waits for it next.
        committed.catch(() => {});
      }
    } finally {
      await reader.close();
    }
    await committed;
  }

  private next(): { load: TableLoad; range: Range } | undefined {
    const even = Math.max(LEAST_BYTES, this.unreadBytes / (2 * readersOf(this.ingestion)));
    for (const load of this.queue) {
      const most = load.rangeBytes(this.rangeBytes);
      const range = load.take(this.size.next(Math.min(most, even)));
      if (range !== undefined) return { load, range };
    }
    return undefined;
  }

  /** Bytes that nobody has been given to read. */
  private get unreadBytes(): number {
    return this.queue.reduce((sum, load) => sum + load.unreadBytes, 0);
  }

  /** Reads a range; what it returns settles it: commits its rows, or gives the table up. Never rejects. */
  private async readRange(reader: RangeReader, load: TableLoad, range: Range): Promise<() => Promise<void>> {
    const began = performance.now();
    try {
      const { staged, bytes } = await this.attempt(reader, load, range);
      this.size.measured(range.bytes, performance.now() - began);
      this.progress.read(load, range, true);
      const lost = this.ingestion.shared.lost();
      if (lost) throw readError(lost);
      return () => load.add(range, staged, bytes);
    } catch (error) {
      this.progress.read(load, range, false);
      if (codeOf(error) === "POSTGRES_STATEMENT_TIMEOUT" && isDivisible(range)) {
        this.size.tooLong(range.bytes);
        load.giveBack(range);
        return async () => {};
      }
      return () => load.fail(error);
    }
  }

  /** Reads a range in the fastest way that its rows allow. */
  private async attempt(reader: RangeReader, load: TableLoad, range: Range) {
    this.progress.arrived(load, range, 0, 0);
    const misreads = this.misreads.get(load) ?? 0;
    for (let at = misreads < MISREADS ? 0 : 1; ; at++) {
      const way = WAYS[at] ?? WAYS[0];
      try {
        const note = way === "binary" ? undefined : way.note;
        const read = await reader.read(load, range, way, (bytes, rows) =>
          this.progress.arrived(load, range, bytes, rows, note),
        );
        if (at === 0) this.misreads.delete(load);
        return read;
      } catch (error) {
        if (!isMisread(error) || at + 1 >= WAYS.length) throw error;
        if (at === 0) this.misreads.set(load, misreads + 1);
      }
    }
  }

  private finish(load: TableLoad): void {
    if (!load.isOver || this.over.has(load)) return;
    this.over.add(load);
    if (load.version === undefined) this.progress.failed(load);
    else this.progress.done(load, load.version);
  }
}
