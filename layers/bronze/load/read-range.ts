/** Reads one range of a table into files of its bronze table, not yet committed. */
import type pg from "pg";
import type { Staged } from "../../../lakehouse/delta/stage.ts";
import { READINGS, type Reading, stageRows } from "../full-load.ts";
import { type Ingestion, openReader } from "../ingestion.ts";
import { disconnect } from "../postgres/connect.ts";
import type { CopyShape } from "../schema.ts";
import { sourceColumns, sourceName } from "../schema.ts";
import { type Range, rangeSql } from "./ranges.ts";
import { SpoolFolder } from "./spool.ts";
import { type BinaryField, binaryFields, stageBinary } from "./stage-binary.ts";
import type { TableLoad } from "./table-load.ts";

/** A way to read a range. */
export type Way = "binary" | Reading;

/** Ways to read, the fastest first; rows that one cannot read are read again in the next. */
export const WAYS: readonly [Way, ...Way[]] = [
  "binary",
  ...READINGS.filter(({ mode }) => mode === "careful"),
];

/** A connection that reads one range after the other; a failed read costs it its connection. */
export class RangeReader {
  private readonly ingestion: Ingestion;
  private client: Promise<pg.Client> | undefined;
  private folder: SpoolFolder | undefined;
  private fields: { readonly of: TableLoad; readonly fields: readonly BinaryField[] } | undefined;

  constructor(ingestion: Ingestion) {
    this.ingestion = ingestion;
  }

  /** Begins to connect; whether that went well is told to who reads. */
  open(): Promise<pg.Client> {
    if (this.client === undefined) {
      this.client = openReader(this.ingestion);
      this.client.catch(() => {});
    }
    return this.client;
  }

  /** Reads a range; `onArrival` is told of bytes and rows so far. */
  async read(
    load: TableLoad,
    range: Range,
    way: Way,
    onArrival: (bytes: number, rows: number) => void,
  ): Promise<{ staged: Staged; bytes: number }> {
    const { context, pipeline, shared, rate } = this.ingestion;
    const { table, path } = load.work;
    const { moment } = shared;
    // Transaction ids tell a later sync which rows were seen here although others of their time were not. Where all
    // transactions before the snapshot's end had finished there are no such rows, and the source need not print ids.
    const withTransaction =
      table.hasTransactionIds && pipeline.source.changes !== "wal" && moment.xmin !== moment.xmax;
    const shape: CopyShape = { table, withTransaction };
    const session = await context.lake.duckdb.session();
    try {
      const client = await this.open();
      const target = context.lake.table(path);
      const options = { onArrival, rate };
      if (way === "binary") {
        this.folder ??= await SpoolFolder.create();
        const { folder } = this;
        if (this.fields?.of !== load) this.fields = { of: load, fields: binaryFields(shape, moment) };
        const { fields } = this.fields;
        return await stageBinary(client, session, target, { shape, range, moment, folder, fields }, options);
      }
      const query = rangeSql(sourceName(table), sourceColumns(shape), range);
      return await stageRows(client, session, target, { shape, query, moment, reading: way }, options);
    } catch (error) {
      // It may be in the middle of a COPY, or in a transaction that failed.
      await this.disconnect();
      throw error;
    } finally {
      await session.close();
    }
  }

  async close(): Promise<void> {
    const { folder } = this;
    this.folder = undefined;
    await Promise.all([folder?.remove(), this.disconnect()]);
  }

  private async disconnect(): Promise<void> {
    const { client } = this;
    this.client = undefined;
    const opened = await client?.catch(() => undefined);
    if (opened) await disconnect(opened);
  }
}
