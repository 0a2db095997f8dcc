/** Local Parquet files of whole numbers, for joins with sets that JavaScript has. */
import type { NumberBatch } from "../duckdb/number-columns.ts";
import { GROUP_ROWS, PlainParquet } from "./plain-parquet.ts";

/** A column of a file: its name and its type. */
export interface NumberColumn {
  readonly name: string;
  readonly type: "INTEGER" | "BIGINT";
}

const WORD = 2 ** 32;

/**
 * Writes batches of integers up to 2^53, in their order, replacing what was there. Memory does not grow with the rows.
 * What `batches` throws is passed on, and the file cannot be read then.
 */
export async function writeNumberFile(
  path: string,
  columns: readonly NumberColumn[],
  batches: Iterable<NumberBatch>,
): Promise<void> {
  const plain = columns.map(
    ({ name, type }) => ({ name, physical: type === "INTEGER" ? "int32" : "int64" }) as const,
  );
  const file = await PlainParquet.create(path, plain);
  try {
    const words = columns.map(({ type }) => new Int32Array(GROUP_ROWS * widthOf(type)));
    let filled = 0;
    const flush = async () => {
      const encoded = columns.map(({ type }, i) => {
        const { buffer } = words[i] ?? new Int32Array(0);
        return { values: new Uint8Array(buffer, 0, filled * widthOf(type) * 4), present: undefined };
      });
      await file.writeGroup(filled, encoded);
      filled = 0;
    };
    for (const batch of batches) {
      const rows = batch[0]?.length ?? 0;
      for (let at = 0; at < rows; ) {
        const taken = Math.min(rows - at, GROUP_ROWS - filled);
        columns.forEach(({ type }, i) => {
          const [target, numbers] = [words[i], batch[i]];
          if (target && numbers) put(target, filled, widthOf(type), numbers.subarray(at, at + taken));
        });
        filled += taken;
        at += taken;
        if (filled === GROUP_ROWS) await flush();
      }
    }
    if (filled > 0) await flush();
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.end();
}

const widthOf = (type: NumberColumn["type"]) => (type === "INTEGER" ? 1 : 2);

/** Numbers as words, the low one of two first. */
function put(words: Int32Array, first: number, width: number, numbers: Float64Array): void {
  for (let i = 0; i < numbers.length; i++) {
    const value = numbers[i] ?? 0;
    const at = (first + i) * width;
    words[at] = value;
    if (width === 2) words[at + 1] = Math.floor(value / WORD);
  }
}
