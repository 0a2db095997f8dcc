import { z } from "zod";
import { TerminalError, TransientError } from "../../lakehouse/errors.ts";
import type { PublishedVersion } from "./target.ts";

/** What stands in Redis or in the embedded target, parsed at the edge. */
const versionSchema = z.object({
  set: z.string(),
  token: z.string(),
  version: z.number().int(),
  publishedAt: z.string(),
  expiresAt: z.string().optional(),
  rows: z.array(z.record(z.string(), z.unknown())),
});

/** Parses the JSON of a published version; undefined where it has expired. */
export function parseVersion(json: string, where: string, now: number): PublishedVersion | undefined {
  const parsed = versionSchema.safeParse(JSON.parse(json));
  if (!parsed.success) {
    throw new TerminalError(`${where} does not hold a version that Ingot published`, {
      code: "PUBLISHED_UNREADABLE",
      value: json.slice(0, 200),
      next: "Something else writes under the same keys; publish again after it is gone.",
    });
  }
  const { expiresAt, ...version } = parsed.data;
  if (expiresAt === undefined) return version;
  return Date.parse(expiresAt) > now ? { ...version, expiresAt } : undefined;
}

/** Reads of a set whose newest version is gone each time that it is looked at. */
export const MOST_TRIES = 100;

export function readContention(set: string): TransientError {
  return new TransientError(`${set} is published faster than it can be read`, {
    code: "PUBLISHED_CONTENTION",
    value: set,
    next: "Read again.",
  });
}
