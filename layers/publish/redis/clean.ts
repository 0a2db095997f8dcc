/** Removing versions that nobody needs, in steps that none of Redis' other clients has to wait for. */
import type { RedisClient } from "./connect.ts";
import { contentKey, versionKey, versionsKey } from "./keys.ts";
import { CLEAN_ROWS, CLEAN_VERSION, MARK_DYING } from "./scripts.ts";

/** Milliseconds that a superseded version stays for readers who hold the old pointer. */
const GRACE = 60_000;
/** Milliseconds after which a publisher of which nothing was heard counts as dead. */
const DEAD = 600_000;
/** Superseded versions that stay in that time, beside the one to roll back to. */
const MOST_SUPERSEDED = 4;
/** Rows removed in one step. */
const STEP = 200;

interface CleanOptions {
  /** Ids of versions that were staged and will not be shown. */
  readonly abandoned?: readonly string[];
  /** Milliseconds. */
  readonly grace?: number;
  /** Milliseconds. */
  readonly dead?: number;
}

/** Removes what is due. Can be interrupted anywhere: the next call goes on. */
export async function cleanVersions(
  client: RedisClient,
  prefix: string,
  { abandoned = [], grace = GRACE, dead = DEAD }: CleanOptions = {},
): Promise<void> {
  const keys = [prefix, versionsKey(prefix)];
  const limits = [grace, dead, MOST_SUPERSEDED];
  const dying = (await client.eval(MARK_DYING, 2, ...keys, ...limits, ...abandoned)) as string[];
  for (const id of dying) {
    if ((await client.hget(versionKey(prefix, id), "kind")) === "lookup") await cleanRows(client, prefix, id);
    await client.eval(CLEAN_VERSION, 2, ...keys, id);
  }
}

async function cleanRows(client: RedisClient, prefix: string, id: string): Promise<void> {
  const manifest = contentKey(prefix, id);
  let cursor = "0";
  // Rows that moved while others were removed come with the next round.
  while (cursor !== "0" || (await client.hlen(manifest)) > 0) {
    const [next, rows] = await client.hscan(manifest, cursor, "COUNT", STEP);
    cursor = next;
    if (rows.length > 0) await client.eval(CLEAN_ROWS, 2, prefix, versionsKey(prefix), id, ...rows);
  }
}
