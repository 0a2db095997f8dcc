/** What was captured and is not yet in bronze: rows of whole transactions, table by table. */
import { join } from "node:path";
import type { Staged } from "../../../lakehouse/delta/stage.ts";
import type { CapturedTable, Shape } from "./captured-table.ts";
import { RowFile } from "./row-file.ts";

/** Rows of one table and one shape. */
export interface Segment {
  readonly shape: Shape;
  readonly rows: RowFile;
}

/** Rows of one table: those that were staged ahead of the commit, and those that wait in files. */
export interface TableRows {
  readonly staged: Staged[];
  segments: Segment[];
}

export class Batch {
  readonly tables = new Map<CapturedTable, TableRows>();
  rows = 0;
  /** Behind the last whole transaction; 0 while there is none. */
  endLsn = 0;
  /** When its first transaction was complete here, in milliseconds since the epoch. */
  since: number | undefined;
  /** What the names of its files begin with. */
  private readonly prefix: string;
  private files = 0;

  /** `folder`: where rows wait; `number`: of the batch, in that folder. */
  constructor(folder: string, number: number) {
    this.prefix = join(folder, String(number));
  }

  /** Bytes that wait in files. */
  get bytes(): number {
    let bytes = 0;
    for (const { segments } of this.tables.values()) for (const { rows } of segments) bytes += rows.size;
    return bytes;
  }

  /** Where the next row of a table goes. */
  rowsOf(table: CapturedTable, shape: Shape): RowFile {
    const rows = this.tables.get(table) ?? { staged: [], segments: [] };
    this.tables.set(table, rows);
    const open = rows.segments.find((segment) => segment.shape === shape);
    if (open !== undefined) return open.rows;
    const file = new RowFile(`${this.prefix}-${++this.files}.csv`, shape.bare);
    rows.segments.push({ shape, rows: file });
    return file;
  }

  async remove(): Promise<void> {
    for (const { segments } of this.tables.values()) {
      for (const { rows } of segments) {
        rows.close();
        await rows.remove();
      }
    }
  }
}
