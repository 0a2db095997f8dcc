/** Query results as text for other programs: a row at a time, so that memory does not grow with the result. */
import { hexText, jsonText } from "./json-text.ts";
import { isMicros, isoDate, isoMicros } from "./timestamp.ts";

export type OutputFormat = "csv" | "jsonl" | "json";

/** Column of a result; the type tells timestamps with and without time zone apart. */
export interface FormatColumn {
  readonly name: string;
  readonly type?: string;
}

/** Write `head`, then each row, then `tail`. A writer serves one result. */
export interface FormatWriter {
  head(): string;
  row(row: readonly unknown[]): string;
  tail(): string;
}

/** What shell tools and Postgres' own COPY expect; readers of RFC 4180 take it as well. */
const RECORD_END = "\n";

/** A writer for a format. */
export function createWriter(format: OutputFormat, columns: readonly FormatColumn[]): FormatWriter {
  switch (format) {
    case "csv":
      return csvWriter(columns);
    case "jsonl":
      return jsonlWriter(columns);
    case "json":
      return jsonWriter(columns);
  }
}

/** CSV quoted as RFC 4180 says, lines ended by LF: NULL is nothing, an empty string is `""`, numbers have all their digits. */
export function csvWriter(columns: readonly FormatColumn[]): FormatWriter {
  return {
    head: () => columns.map((column) => csvText(column.name)).join(",") + RECORD_END,
    row: (row) => columns.map((column, i) => csvField(row[i], column.type)).join(",") + RECORD_END,
    tail: () => "",
  };
}

/** One JSON object a line. Decimals arrive as text and leave as JSON strings: most readers would round numbers. */
function jsonlWriter(columns: readonly FormatColumn[]): FormatWriter {
  const toObject = objectWriter(columns);
  return { head: () => "", row: (row) => `${toObject(row)}\n`, tail: () => "" };
}

/** A JSON array of objects, one a line. */
function jsonWriter(columns: readonly FormatColumn[]): FormatWriter {
  const toObject = objectWriter(columns);
  let before = "\n";
  return {
    head: () => "[",
    row: (row) => {
      const text = before + toObject(row);
      before = ",\n";
      return text;
    },
    tail: () => (before === "\n" ? "]\n" : "\n]\n"),
  };
}

function objectWriter(columns: readonly FormatColumn[]): (row: readonly unknown[]) => string {
  const keys = uniqueNames(columns.map((column) => column.name)).map((name) => `${JSON.stringify(name)}:`);
  return (row) => `{${columns.map((column, i) => keys[i] + jsonText(row[i], column.type)).join(",")}}`;
}

/** A query may name two columns alike; in an object the second would hide the first. */
export function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set(names);
  const given = new Set<string>();
  return names.map((name) => {
    let unique = name;
    for (let n = 2; given.has(unique) || (unique !== name && taken.has(unique)); n += 1)
      unique = `${name}_${n}`;
    given.add(unique);
    return unique;
  });
}

function csvField(value: unknown, type = ""): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return csvText(value);
  if (typeof value !== "object") return Object.is(value, -0) ? "-0" : String(value);
  if (value instanceof Date) return isoDate(value) ?? "";
  if (value instanceof Uint8Array) return hexText(value);
  if (isMicros(value, type)) return isoMicros(value.micros, type);
  return csvText(jsonText(value, type));
}

/** Quoted where it must be, and where some readers would trim or take it for NULL. */
function csvText(text: string): string {
  return text === "" || /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
