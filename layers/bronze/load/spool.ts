/**
 * Columns of a binary COPY on their way to DuckDB: row groups are gathered in memory and written to a file; a file that
 * is large enough is handed over, and the next is filled meanwhile. Two files are used by turns, so that their pages
 * stay in memory: new pages cost more than the bytes.
 */
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { GROUP_ROWS, type PlainColumn, PlainParquet } from "../../../lakehouse/parquet/plain-parquet.ts";
import { makeScratch } from "../../../lakehouse/scratch.ts";
import type { RowBatch } from "../postgres/binary/binary-copy.ts";
import type { ColumnValues, SpooledColumn } from "../postgres/binary/column-values.ts";

interface SpoolSizes {
  /** Of a row group, which ends with the first of both that is reached. */
  readonly groupRows: number;
  readonly groupBytes: number;
  readonly fileBytes: number;
}

const SIZES: SpoolSizes = { groupRows: GROUP_ROWS, groupBytes: 16 << 20, fileBytes: 96 << 20 };

export interface SpooledFile {
  readonly path: string;
  readonly rows: number;
  /** In the order of the columns. */
  readonly columns: readonly SpooledColumn[];
  /** Entries of the dictionaries that serve its values, as far as the first of them tell. */
  readonly dictionary: number;
}

/** The files of one reader, one range after the other. */
export class SpoolFolder {
  private readonly folder: string;
  private readonly free: string[] = [];
  private named = 0;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(): Promise<SpoolFolder> {
    return new SpoolFolder(await makeScratch());
  }

  /** Path of a file to write over, by a name that none had before: DuckDB remembers files by their names. */
  async take(): Promise<string> {
    const path = join(this.folder, `${++this.named}.parquet`);
    const used = this.free.pop();
    if (used !== undefined) await rename(used, path);
    return path;
  }

  giveBack(path: string): void {
    this.free.push(path);
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

export class Spool {
  private readonly columns: readonly ColumnValues[];
  private readonly takeFile: (file: SpooledFile) => Promise<void>;
  private readonly folder: SpoolFolder;
  private readonly sizes: SpoolSizes;
  private file: PlainParquet | undefined;
  /** How the columns of the file are written. */
  private shapes: readonly PlainColumn[] = [];
  private path = "";
  private groupRows = 0;
  private fileRows = 0;
  private dictionary = 0;
  private handedOver: Promise<void> = Promise.resolve();
  private writing: Promise<void> = Promise.resolve();
  private isAbandoned = false;

  /** `takeFile`: gets one file after the other, which is written over when what it returned has resolved. */
  constructor(
    folder: SpoolFolder,
    columns: readonly ColumnValues[],
    takeFile: (file: SpooledFile) => Promise<void>,
    sizes = SIZES,
  ) {
    this.sizes = sizes;
    this.columns = columns;
    // A range that failed leaves rows behind, and what it remembered of a file that nobody gets.
    for (const column of columns) column.reset();
    this.takeFile = takeFile;
    this.folder = folder;
  }

  /** Takes rows; resolves, where it returns something, when there is room for more. */
  take(batch: RowBatch): Promise<void> | undefined {
    const { columns } = this;
    let size = 0;
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i];
      column?.take(batch, i);
      size += column?.size ?? 0;
    }
    this.groupRows += batch.rows;
    if (this.groupRows < this.sizes.groupRows && size < this.sizes.groupBytes) return undefined;
    this.writing = this.endGroup();
    return this.writing;
  }

  /** Hands over what is left; resolves when all files have been taken. */
  async end(): Promise<void> {
    if (this.groupRows > 0) await this.endGroup();
    await this.endFile();
    await this.handedOver;
  }

  /** Ends without the rest; resolves when no file is in use any more. */
  async abandon(): Promise<void> {
    this.isAbandoned = true;
    // A connection that is lost does not wait for what is being written.
    await this.writing.catch(() => {});
    await this.dropFile();
    await this.handedOver.catch(() => {});
  }

  /** Lets go of the file that is being written. */
  private async dropFile(): Promise<void> {
    const { file } = this;
    if (file === undefined) return;
    this.file = undefined;
    this.folder.giveBack(this.path);
    await file.close().catch(() => {});
  }

  private async endGroup(): Promise<void> {
    if (this.columns.some(({ plain }, i) => plain.physical !== this.shapes[i]?.physical))
      await this.endFile();
    const file = this.file ?? (await this.beginFile());
    await file.writeGroup(
      this.groupRows,
      this.columns.map((column) => column.values()),
    );
    for (const column of this.columns) column.clear();
    this.fileRows += this.groupRows;
    this.groupRows = 0;
    if (file.size >= this.sizes.fileBytes) await this.endFile();
  }

  private async beginFile(): Promise<PlainParquet> {
    this.path = await this.folder.take();
    this.shapes = this.columns.map(({ plain }, i) => ({ ...plain, name: spoolName(i) }));
    this.dictionary = Math.max(...this.columns.map(({ dictionary }) => dictionary));
    this.file = await PlainParquet.create(this.path, this.shapes);
    return this.file;
  }

  private async endFile(): Promise<void> {
    const { file, path, fileRows: rows, dictionary } = this;
    if (file === undefined) return;
    await file.end();
    // The other file is free when its rows were taken.
    await this.handedOver;
    if (this.isAbandoned) return;
    this.file = undefined;
    this.fileRows = 0;
    const columns = this.columns.map((column, i) => column.endFile(spoolName(i)));
    this.handedOver = this.takeFile({ path, rows, columns, dictionary }).finally(() =>
      this.folder.giveBack(path),
    );
    // Told to who waits for it next.
    this.handedOver.catch(() => {});
  }
}

/** Name of a column in the files: one of the source's could mean something else to DuckDB. */
const spoolName = (index: number) => `c${index}`;
