/** Many deleted rows as a file of bitmaps, which joins in a fraction of the memory and time that rows take. */
import { open } from "node:fs/promises";
import { literal } from "../../duckdb/quote.ts";
import { CONTAINER_VALUES } from "../deletion-vector/container.ts";
import type { FileRows } from "../deletion-vector/rows-file.ts";

/** Rows of one bitmap: those of a vector in DuckDB, so that neighbours meet the same one. */
const ROWS_BITS = 11;
const ROWS = 1 << ROWS_BITS;
/** Lines written at once. */
const LINES = 1000;

/** Writes one line for each bitmap: number of the file, number of the bitmap in it, bits in Base64. */
export async function writeBitmaps(path: string, deleted: readonly FileRows[]): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    let lines: string[] = [];
    for (const line of bitmapLines(deleted)) {
      lines.push(line);
      if (lines.length < LINES) continue;
      await file.write(lines.join(""));
      lines = [];
    }
    await file.write(lines.join(""));
  } finally {
    await file.close();
  }
}

/**
 * What follows a relation with `file_index` and `file_row_number` in SQL, to leave out the rows of a file of
 * `writeBitmaps`.
 */
export function withoutBitsSql(path: string): string {
  const columns = "{'file': 'UBIGINT', 'part': 'BIGINT', 'text': 'VARCHAR'}";
  const read = `read_csv(${literal(path)}, auto_detect = false, header = false, columns = ${columns})`;
  // DuckDB counts the bits of a byte from the highest, we from the lowest.
  const bit = `get_bit(_deleted.bits, xor(file_row_number & ${ROWS - 1}, 7)::INTEGER)`;
  return (
    ` LEFT JOIN (SELECT file, part, from_base64(text)::BIT AS bits FROM ${read}) AS _deleted` +
    ` ON _deleted.file = file_index AND _deleted.part = file_row_number >> ${ROWS_BITS}` +
    ` WHERE _deleted.bits IS NULL OR ${bit} = 0`
  );
}

function* bitmapLines(deleted: readonly FileRows[]): Iterable<string> {
  for (const { index, rows } of deleted) {
    const bits = Buffer.alloc(ROWS / 8);
    let part = -1;
    for (const [chunk, container] of rows.containers()) {
      for (const value of container.sorted()) {
        const at = chunk * (CONTAINER_VALUES / ROWS) + (value >> ROWS_BITS);
        if (at !== part) {
          if (part >= 0) yield `${index},${part},${bits.toString("base64")}\n`;
          bits.fill(0);
          part = at;
        }
        const bit = value & (ROWS - 1);
        bits[bit >> 3] = (bits[bit >> 3] ?? 0) | (1 << (bit & 7));
      }
    }
    if (part >= 0) yield `${index},${part},${bits.toString("base64")}\n`;
  }
}
