/** Rows that steps made, on their way into DuckDB: on disk, so that no table has to fit into this process. */
import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { duckdbType, type StructField } from "../../../lakehouse/delta/schema.ts";
import { identifier, literal } from "../../../lakehouse/duckdb/quote.ts";
import { makeScratch } from "../../../lakehouse/scratch.ts";

const asText = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);

/** A value as JSON; `asText` makes it slow, and most values do without. */
function jsonOf(value: unknown): string {
  if (typeof value === "bigint") return `"${value}"`;
  return typeof value === "object" ? JSON.stringify(value, asText) : JSON.stringify(value);
}

/** A spool. `close` it whatever happens: what is in it is data. */
export class Spool {
  private readonly folder: string;
  private readonly stream: WriteStream;
  private longest = 1 << 20;
  private failure: Error | undefined;

  private constructor(folder: string) {
    this.folder = folder;
    this.stream = createWriteStream(this.file);
    this.stream.on("error", (error) => {
      this.failure = error;
    });
  }

  static async open(): Promise<Spool> {
    return new Spool(await makeScratch());
  }

  /** Adds rows: values by column, of nested columns plain values and of others what a text of the value holds. */
  async write(rows: readonly Readonly<Record<string, unknown>>[]): Promise<void> {
    if (this.failure) throw this.failure;
    let lines = "";
    for (const row of rows) {
      const members = Object.entries(row).map(([name, value]) => `${JSON.stringify(name)}:${jsonOf(value)}`);
      const line = `{${members.join()}}`;
      this.longest = Math.max(this.longest, 3 * line.length);
      lines += `${line}\n`;
    }
    if (lines !== "" && !this.stream.write(lines)) await once(this.stream, "drain");
  }

  /** Query of all rows, as values of these columns. No row is written after. */
  async sql(fields: readonly StructField[]): Promise<string> {
    this.stream.end();
    await finished(this.stream);
    const typed = fields.map((f) => `${identifier(f.name)}::${duckdbType(f.type)} AS ${identifier(f.name)}`);
    const columns = fields.map(
      (f) => `${literal(f.name)}: ${literal(typeof f.type === "string" ? "VARCHAR" : duckdbType(f.type))}`,
    );
    return `SELECT ${typed.join(", ")} FROM read_json(${literal(this.file)}, format = 'newline_delimited',
      maximum_object_size = ${this.longest}, columns = {${columns.join(", ")}})`;
  }

  async close(): Promise<void> {
    this.stream.destroy();
    await rm(this.folder, { recursive: true, force: true });
  }

  private get file(): string {
    return join(this.folder, "rows.jsonl");
  }
}
