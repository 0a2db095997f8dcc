/** Reading a version from Redis: its pointer, then its rows page by page; what is gone by then has a successor. */
import type { PublishedRow, PublishedVersion } from "../target.ts";
import { isExpired, MOST_TRIES, noLookup, parseRow, readContention } from "../version-schema.ts";
import type { RedisClient } from "./connect.ts";
import { rowKey } from "./keys.ts";
import { type Current, readPointer } from "./pointer.ts";

/** Rows fetched at once. */
const PAGE = 1_000;

/** The version that is current, whole; undefined where there is none, it has expired, or a part of it is gone. */
export function readVersion(
  client: RedisClient,
  set: string,
  now: number,
): Promise<PublishedVersion | undefined> {
  return settled(client, set, now, async (prefix, current) => {
    const rows =
      current.kind === "lookup" ? await lookupRows(client, prefix, current) : await listRows(client, current);
    return rows && { ...current.parsed, rows };
  });
}

/** One row of a lookup. */
export function readLookupRow(
  client: RedisClient,
  set: string,
  id: string,
  now: number,
): Promise<PublishedRow | undefined> {
  const found = settled(client, set, now, async (prefix, current) => {
    if (current.kind !== "lookup") throw noLookup(set, current.kind);
    const digest = await client.hget(current.key, id);
    // A manifest that is gone says nothing of its rows.
    if (digest === null) return (await client.exists(current.key)) === 1 ? { row: undefined } : undefined;
    const key = rowKey(prefix, id, digest);
    const json = await client.get(key);
    return json === null ? undefined : { row: parseRow(json, key) };
  });
  return found.then((answer) => answer?.row);
}

/** Reads until what the pointer names was there to the end. `read` gives undefined where a part was missing. */
async function settled<T>(
  client: RedisClient,
  set: string,
  now: number,
  read: (prefix: string, current: Current) => Promise<T | undefined>,
): Promise<T | undefined> {
  let missing: string | undefined;
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const { prefix, current } = await readPointer(client, set);
    if (current === undefined || isExpired(current.parsed, now)) return undefined;
    // Missing, and the pointer has not moved on: it is lost.
    if (missing === current.event) return undefined;
    const found = await read(prefix, current);
    if (found !== undefined) return found;
    missing = current.event;
  }
  throw readContention(set);
}

async function listRows(client: RedisClient, current: Current): Promise<PublishedRow[] | undefined> {
  const key = current.kind === "list" ? current.key : `${current.key}:rows`;
  const rows: PublishedRow[] = [];
  for (let start = 0; start < current.rows; start += PAGE) {
    const page = await client.lrange(key, start, start + PAGE - 1);
    for (const json of page) rows.push(parseRow(json, key));
  }
  return rows.length === current.rows ? rows : undefined;
}

/** In the order of their keys: a lookup has no other. */
async function lookupRows(
  client: RedisClient,
  prefix: string,
  { key, length }: Current,
): Promise<PublishedRow[] | undefined> {
  const found = new Map<string, PublishedRow>();
  let cursor = "0";
  do {
    const [next, entries] = await client.hscan(key, cursor, "COUNT", PAGE);
    cursor = next;
    const names: [string, string][] = [];
    for (let i = 0; i < entries.length; i += 2) {
      const id = entries[i] ?? "";
      names.push([id, rowKey(prefix, id, entries[i + 1] ?? "")]);
    }
    if (names.length === 0) continue;
    const values = await client.mget(names.map(([, name]) => name));
    for (const [i, [id, name]] of names.entries()) {
      const json = values[i];
      if (json === null || json === undefined) return undefined;
      found.set(id, parseRow(json, name));
    }
  } while (cursor !== "0");
  if (found.size !== length) return undefined;
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}
