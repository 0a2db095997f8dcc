/** Options that choose a version of a table, and others that several sub-commands read. */
import { InvalidArgumentError, Option } from "commander";
import type { GlobalOptions } from "../../runtime.ts";
import { wholeNumber } from "../number-options.ts";

export interface VersionOptions extends GlobalOptions {
  readonly version?: number;
  readonly timestamp?: Date;
}

export const versionOption = (description = "version; the newest by default") =>
  new Option("--version <number>", description).argParser(wholeNumber).conflicts("timestamp");

export const timestampOption = () =>
  new Option("--timestamp <time>", "the version at this time, in UTC unless it says a zone").argParser(
    timestamp,
  );

/** The version that the options ask for, as the kernel takes it. */
export function asOf({ version, timestamp: at }: VersionOptions): { version?: number; timestamp?: Date } {
  if (at !== undefined) return { timestamp: at };
  return version === undefined ? {} : { version };
}

const TIME = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)\s*(Z|[+-]\d\d:?\d\d)?)?$/i;

/** A date, or a date and time, as an instant. */
function timestamp(text: string): Date {
  const [, date, time = "00:00", zone = "Z"] = TIME.exec(text.trim()) ?? [];
  const instant = new Date(`${date}T${time}${zone}`);
  if (date === undefined || Number.isNaN(instant.getTime())) {
    throw new InvalidArgumentError("It takes a time such as 2026-01-31, or 2026-01-31T10:30:00Z.");
  }
  return instant;
}

const UNITS: Readonly<Record<string, number>> = { "": 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** `134217728`, `128mb`, `1g`: bytes. */
export function byteSize(text: string): number {
  const [, digits, unit = ""] = /^(\d{1,15})\s*([bkmg]?)(?:i?b)?$/i.exec(text.trim()) ?? [];
  const bytes = Number(digits) * (UNITS[unit.toLowerCase()] ?? Number.NaN);
  if (!(bytes >= 1))
    throw new InvalidArgumentError("It takes a size such as 128mb, 1g, or a number of bytes.");
  return bytes;
}

/** Names with commas between; a name in double quotes may hold a comma. */
export function names(text: string): string[] {
  const found = text.match(/"(?:[^"]|"")*"|[^,]+/g) ?? [];
  const plain = found.map((name) =>
    name
      .trim()
      .replace(/^"(.*)"$/s, "$1")
      .replaceAll('""', '"'),
  );
  if (plain.length === 0 || plain.some((name) => name === "")) {
    throw new InvalidArgumentError("It takes names with commas between, such as customer_id,day.");
  }
  return plain;
}
