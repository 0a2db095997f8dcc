/** What the pointer of a set says: which version readers see, and which is the newest that ever was. */
import { z } from "zod";
import type { VersionStamp } from "../target.ts";
import { parseStamp } from "../version-schema.ts";
import type { RedisClient } from "./connect.ts";
import { PREFIXES, prefixOf } from "./keys.ts";

const KINDS = ["list", "scalar", "hash", "ranking", "series", "lookup"] as const;
const currentSchema = z.object({
  current: z.string(),
  token: z.string(),
  newest: z.string(),
  fingerprint: z.string(),
  stamp: z.string(),
  key: z.string(),
  kind: z.enum(KINDS),
  length: z.coerce.number(),
  rows: z.coerce.number(),
  event: z.string(),
  rolledBack: z.literal("1").optional(),
});

/** The version that readers see. */
export interface Current extends z.infer<typeof currentSchema> {
  readonly parsed: VersionStamp;
}

/** The version that the pointer's fields name; undefined where nothing is published. */
export function parsePointer(fields: Readonly<Record<string, string>>, where: string): Current | undefined {
  const parsed = currentSchema.safeParse(fields);
  // A part of it is as good as none: it is published again.
  return parsed.success ? { ...parsed.data, parsed: parseStamp(parsed.data.stamp, where) } : undefined;
}

/** Prefix of a set's keys, and its pointer. */
export async function readPointer(
  client: RedisClient,
  set: string,
): Promise<{ readonly prefix: string; readonly current: Current | undefined }> {
  const declared = await client.hget(PREFIXES, set);
  const prefix = declared ?? prefixOf(set, undefined);
  return { prefix, current: parsePointer(await client.hgetall(prefix), prefix) };
}

/** Whether all of the rows of a version are there, in their form and as JSON; the rows of a lookup are not looked at. */
export async function isIntact(
  client: RedisClient,
  { key, kind, length, rows }: Pick<Current, "key" | "kind" | "length" | "rows">,
): Promise<boolean> {
  const counted = await lengthOf(client, key, kind);
  if (counted !== length) return false;
  return kind === "list" || kind === "lookup" || (await client.llen(`${key}:rows`)) === rows;
}

function lengthOf(client: RedisClient, key: string, kind: Current["kind"]): Promise<number> {
  switch (kind) {
    case "scalar":
      return client.exists(key);
    case "list":
      return client.llen(key);
    case "hash":
    case "lookup":
      return client.hlen(key);
    default:
      return client.zcard(key);
  }
}
