/**
 * Parquet files without compression or dictionaries, written a row group at a time: the form in which columns that are
 * made in this process reach DuckDB, which reads them at the speed of memory and writes the files that stay.
 * Format: apache/parquet-format, README.md, Encodings.md and parquet.thrift. Each column is optional and flat, its
 * chunk one page of version 1. (Libraries that write Parquet take JavaScript values, which this path is there to avoid.)
 */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { encodeStruct, type Fields, type Thrift } from "./thrift.ts";

/** How the values of a column lie in the file, and what they mean. */
export interface PlainColumn {
  readonly name: string;
  readonly physical: "boolean" | "int32" | "int64" | "float" | "double" | "bytes" | "fixed16";
  readonly logical?:
    | "text"
    | "date"
    | "timestamp"
    | "int16"
    | { readonly precision: number; readonly scale: number };
}

/** Values of a column in one row group. */
export interface PlainValues {
  /** Values that are not null, encoded as PLAIN. */
  readonly values: Uint8Array;
  /** A bit for each row, the lowest first, set where there is a value; undefined where all rows have one. */
  readonly present: Uint8Array | undefined;
}

/** Rows of a usual row group: as many as DuckDB gives one thread to read. */
export const GROUP_ROWS = 122_880;

const PHYSICAL = { boolean: 0, int32: 1, int64: 2, float: 4, double: 5, bytes: 6, fixed16: 7 };
const [OPTIONAL, PLAIN, RLE, UNCOMPRESSED, DATA_PAGE] = [1, 0, 3, 0, 0];
const MAGIC = Buffer.from("PAR1");

const i32 = (value: number): Thrift => ({ i32: value });
const i64 = (value: number): Thrift => ({ i64: value });
const struct = (fields: Fields): Thrift => ({ struct: fields });

/** A file that is being written. */
export class PlainParquet {
  private readonly file: FileHandle;
  private readonly columns: readonly PlainColumn[];
  private readonly groups: Thrift[] = [];
  private offset = 0;
  private rows = 0;

  private constructor(file: FileHandle, columns: readonly PlainColumn[]) {
    this.file = file;
    this.columns = columns;
  }

  /**
   * Begins a file; one that is there already is written over, which costs less than a new one: its pages are in
   * memory.
   */
  static async create(path: string, columns: readonly PlainColumn[]): Promise<PlainParquet> {
    const file = new PlainParquet(await open(path, constants.O_RDWR | constants.O_CREAT, 0o600), columns);
    await file.write([MAGIC]);
    return file;
  }

  /** Bytes so far. */
  get size(): number {
    return this.offset;
  }

  /** Writes a row group. The buffers may be used again when this resolves. */
  async writeGroup(rows: number, columns: readonly PlainValues[]): Promise<void> {
    const start = this.offset;
    const pieces: Uint8Array[] = [];
    const chunks = columns.map(({ values, present }, i): Thrift => {
      const levels = definitionLevels(rows, present);
      const size = levels.length + values.length;
      const header = encodeStruct({
        1: i32(DATA_PAGE),
        2: i32(size),
        3: i32(size),
        5: struct({ 1: i32(rows), 2: i32(PLAIN), 3: i32(RLE), 4: i32(RLE) }),
      });
      const at = this.offset;
      pieces.push(header, levels, values);
      this.offset += header.length + size;
      return this.chunk(i, rows, at, header.length + size);
    });
    this.groups.push(struct({ 1: { list: chunks }, 2: i64(this.offset - start), 3: i64(rows) }));
    this.rows += rows;
    await this.file.writev(pieces);
  }

  /** Ends the file: without this it cannot be read. */
  async end(): Promise<void> {
    const footer = encodeStruct({
      1: i32(1),
      2: {
        list: [struct({ 4: { text: "rows" }, 5: i32(this.columns.length) }), ...this.columns.map(element)],
      },
      3: i64(this.rows),
      4: { list: this.groups },
    });
    const length = Buffer.alloc(4);
    length.writeUInt32LE(footer.length);
    await this.write([footer, length, MAGIC]);
    await this.file.truncate(this.offset);
    await this.close();
  }

  /** Leaves the file as it is. */
  async close(): Promise<void> {
    await this.file.close();
  }

  private async write(pieces: Uint8Array[]): Promise<void> {
    for (const piece of pieces) this.offset += piece.length;
    await this.file.writev(pieces);
  }

  private chunk(index: number, rows: number, at: number, size: number): Thrift {
    const { name = "", physical = "bytes" } = this.columns[index] ?? {};
    const meta = struct({
      1: i32(PHYSICAL[physical]),
      2: { list: [i32(PLAIN), i32(RLE)] },
      3: { list: [{ text: name }] },
      4: i32(UNCOMPRESSED),
      5: i64(rows),
      6: i64(size),
      7: i64(size),
      9: i64(at),
    });
    return struct({ 2: i64(at), 3: meta });
  }
}

/** Levels of a page with their length: one run where all rows have a value, the bits themselves otherwise. */
function definitionLevels(rows: number, present: Uint8Array | undefined): Uint8Array {
  const groups = Math.ceil(rows / 8);
  const run = present === undefined ? varint(rows * 2) : varint(groups * 2 + 1);
  const bits = present === undefined ? Uint8Array.of(1) : present.subarray(0, groups);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(run.length + bits.length);
  return Buffer.concat([length, run, bits]);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Uint8Array.of(...bytes, rest);
}

/** Schema element of a column. `6` is the older way to say what `10` says. */
function element({ name, physical, logical }: PlainColumn): Thrift {
  const common = { 1: i32(PHYSICAL[physical]), 3: i32(OPTIONAL), 4: { text: name } };
  const sized: Fields = physical === "fixed16" ? { ...common, 2: i32(16) } : common;
  if (logical === undefined) return struct(sized);
  if (logical === "text") return struct({ ...sized, 6: i32(0) });
  if (logical === "date") return struct({ ...sized, 6: i32(6) });
  if (logical === "int16") return struct({ ...sized, 6: i32(16) });
  if (logical === "timestamp") {
    const micros = struct({ 2: struct({}) });
    return struct({ ...sized, 6: i32(10), 10: struct({ 8: struct({ 1: { bool: true }, 2: micros }) }) });
  }
  return struct({ ...sized, 6: i32(5), 7: i32(logical.scale), 8: i32(logical.precision) });
}
