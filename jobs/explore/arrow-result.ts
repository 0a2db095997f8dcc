/** A result as Arrow IPC, batch by batch: the file format (Feather), or the stream format for pipes. */
import {
  type Data,
  Field,
  makeData,
  RecordBatch,
  RecordBatchFileWriter,
  RecordBatchStreamWriter,
  Schema,
  Struct,
} from "apache-arrow";
import { uniqueNames } from "../terminal/formats.ts";
import { arrowColumn } from "./arrow-column.ts";
import { parseEngineType } from "./engine-type.ts";
import type { ResultStream } from "./explorer.ts";

/** Rows of a batch, about. */
const BATCH_ROWS = 16_384;

/** How much a writer has made is what may be taken of it. */
class FileWriter extends RecordBatchFileWriter {
  get made(): number {
    return this._position;
  }
}
class StreamWriter extends RecordBatchStreamWriter {
  get made(): number {
    return this._position;
  }
}

/**
 * The bytes of a result, no more than a batch ahead of who takes them. `counted` is told of the rows as they go.
 * Throws `ARROW_TOO_WIDE`.
 */
export async function* arrowBytes(
  { columns, chunks }: ResultStream,
  format: "file" | "stream",
  counted: (rows: number) => void = () => {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const names = uniqueNames(columns.map(({ name }) => name));
  const arrows = columns.map(({ type }) => arrowColumn(parseEngineType(type)));
  const schema = new Schema(arrows.map(({ type }, i) => new Field(names[i] ?? "", type, true)));
  const batchOf = (rows: readonly (readonly unknown[])[]): RecordBatch => {
    const children = arrows.map((arrow, i): Data => arrow.data(rows.map((row) => row[i])));
    const type = new Struct(schema.fields);
    return new RecordBatch(schema, makeData({ type, length: rows.length, nullCount: 0, children }));
  };
  const writer = format === "file" ? new FileWriter() : new StreamWriter();
  const bytes = writer[Symbol.asyncIterator]();
  let taken = 0;
  // A result without rows has columns all the same: the first batch is written even where it is empty.
  let first = true;
  for await (const rows of batched(chunks)) {
    if (rows.length === 0 && !first) continue;
    first = false;
    writer.write(batchOf(rows));
    counted(rows.length);
    while (taken < writer.made) {
      const { value } = await bytes.next();
      taken += value.byteLength;
      yield value;
    }
  }
  writer.finish();
  for (let next = await bytes.next(); next.done !== true; next = await bytes.next()) yield next.value;
}

/** Rows in larger parts; the last may be empty. */
async function* batched(
  chunks: ResultStream["chunks"],
): AsyncGenerator<readonly (readonly unknown[])[], void, undefined> {
  let rows: (readonly unknown[])[] = [];
  for await (const chunk of chunks) {
    rows.push(...chunk);
    if (rows.length < BATCH_ROWS) continue;
    yield rows;
    rows = [];
  }
  yield rows;
}
