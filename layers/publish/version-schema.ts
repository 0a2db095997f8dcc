import { z } from "zod";
import { TerminalError, TransientError } from "../../lakehouse/errors.ts";
import type { PublishedRow, VersionStamp } from "./target.ts";

/** What stands at a target beside the rows of a version, parsed at the edge. */
export const stampShape = {
  set: z.string(),
  token: z.string(),
  version: z.number().int(),
  publishedAt: z.string(),
  expiresAt: z.string().optional(),
  source: z
    .record(
      z.string(),
      z.object({ version: z.number().int(), lsn: z.string().optional(), at: z.string().optional() }),
    )
    .optional(),
};
const stampSchema = z.object(stampShape);
const rowSchema = z.record(z.string(), z.unknown());

/** Parses what was written of a version; `where` is for the message. */
export function parseStamp(json: string, where: string): VersionStamp {
  return parse(stampSchema, json, where) as VersionStamp;
}

/** Parses a published row. */
export const parseRow = (json: string, where: string): PublishedRow => parse(rowSchema, json, where);

/** Parses JSON of this shape; throws `PUBLISHED_UNREADABLE`. */
export function parse<T>(schema: z.ZodType<T>, json: string, where: string): T {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw unreadable(json, where);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw unreadable(json, where);
}

function unreadable(json: string, where: string): TerminalError {
  return new TerminalError(`${where} does not hold what Ingot published`, {
    code: "PUBLISHED_UNREADABLE",
    value: json.slice(0, 200),
    next: "Something else writes under the same keys; publish again after it is gone.",
  });
}

/** Whether a version counts as absent. */
export const isExpired = ({ expiresAt }: Pick<VersionStamp, "expiresAt">, now: number): boolean =>
  expiresAt !== undefined && Date.parse(expiresAt) <= now;

/** Reads of a set whose newest version is gone each time that it is looked at. */
export const MOST_TRIES = 100;

export function readContention(set: string): TransientError {
  return new TransientError(`${set} is published faster than it can be read`, {
    code: "PUBLISHED_CONTENTION",
    value: set,
    next: "Read again.",
  });
}

/** Code of a question for a row of a set that is no lookup. */
export const NO_LOOKUP = "METRICS_NO_LOOKUP";

/** A row of a set was asked for by a key, and the rows of its form have none. */
export function noLookup(set: string, kind: string): TerminalError {
  return new TerminalError(`${set} is published as ${kind}: its rows cannot be looked up by a key`, {
    code: NO_LOOKUP,
    value: kind,
    allowed: "lookup",
    next: 'Read it whole, or publish it as a lookup: `as: { kind: "lookup" }`.',
  });
}
