/** COPY FROM STDIN, as fast as Postgres takes it and no faster. */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ClientBase } from "pg";
import { from } from "pg-copy-streams";

const CHUNK = 64 * 1024;

/**
 * Sends lines of the text format to a table that was made in the same transaction (FREEZE asks for that, and spares
 * the first reader a rewrite of every page). `onRows` is told about every few thousand rows. Gives the row count.
 */
export async function copyLines(
  client: ClientBase,
  target: { readonly table: string; readonly columns: string },
  lines: Iterable<string>,
  onRows: (rows: number) => void,
  signal: AbortSignal,
): Promise<number> {
  const copy = client.query(from(`COPY public.${target.table} (${target.columns}) FROM STDIN (FREEZE)`));
  await pipeline(Readable.from(chunks(lines, onRows), { objectMode: false }), copy, { signal });
  return copy.rowCount;
}

function* chunks(lines: Iterable<string>, onRows: (rows: number) => void): Generator<Buffer> {
  let chunk = "";
  let rows = 0;
  for (const line of lines) {
    chunk += line;
    rows++;
    if (chunk.length >= CHUNK) {
      yield Buffer.from(chunk);
      onRows(rows);
      chunk = "";
    }
  }
  if (chunk !== "") yield Buffer.from(chunk);
}
