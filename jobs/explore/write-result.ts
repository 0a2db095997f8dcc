/** Results of queries as files. */
import { type FileHandle, open } from "node:fs/promises";
import { extname } from "node:path";
import { TerminalError } from "../../lakehouse/errors.ts";
import { createWriter } from "../terminal/formats.ts";
import type { Explorer, ResultStream } from "./explorer.ts";
import { writeWhole } from "./whole-file.ts";

export const FILE_FORMATS = ["parquet", "csv", "jsonl", "json", "arrow"] as const;
export type FileFormat = (typeof FILE_FORMATS)[number];

/** What a file is by its name; throws `FORMAT_UNKNOWN`. */
export function formatOfFile(file: string): FileFormat {
  const extension = extname(file).slice(1).toLowerCase();
  const synonym = { feather: "arrow", ndjson: "jsonl" }[extension] ?? extension;
  const format = FILE_FORMATS.find((known) => known === synonym);
  if (format !== undefined) return format;
  throw new TerminalError("the name of the file does not say its format", {
    code: "FORMAT_UNKNOWN",
    value: file,
    allowed: FILE_FORMATS.map((known) => `.${known}`).join(", "),
    next: "Give the file one of these endings, or say --format.",
  });
}

/** Writes the rows of a query to a file, which is whole or not there; answers how many. */
export function writeResult(
  explorer: Explorer,
  sql: string,
  file: string,
  options: {
    readonly format: FileFormat;
    readonly force: boolean;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<number> {
  const { format, force, signal } = options;
  return writeWhole(file, force, async (temporary) => {
    if (format === "parquet") return explorer.writeParquet(sql, temporary, signal);
    const result = await explorer.stream(sql, signal);
    const handle = await open(temporary, "wx");
    try {
      return format === "arrow" ? await writeArrow(result, handle) : await writeText(result, format, handle);
    } finally {
      await handle.close();
    }
  });
}

async function writeArrow(result: ResultStream, handle: FileHandle): Promise<number> {
  // Few queries end as Arrow: the library is loaded for those alone.
  const { arrowBytes } = await import("./arrow-result.ts");
  let rows = 0;
  const counted = (more: number) => {
    rows += more;
  };
  for await (const bytes of arrowBytes(result, "file", counted)) await handle.writeFile(bytes);
  return rows;
}

async function writeText(
  { columns, chunks }: ResultStream,
  format: "csv" | "jsonl" | "json",
  handle: FileHandle,
): Promise<number> {
  const writer = createWriter(format, columns);
  let rows = 0;
  await handle.writeFile(writer.head());
  for await (const chunk of chunks) {
    rows += chunk.length;
    await handle.writeFile(chunk.map((row) => writer.row(row)).join(""));
  }
  await handle.writeFile(writer.tail());
  return rows;
}
