/** Lookups in Redis: a key for each row, named by what it holds, so that versions share the rows that are equal. */
import { hash } from "node:crypto";
import type { RowBatch } from "../target.ts";
import type { RedisClient } from "./connect.ts";
import { contentKey, rowKey, versionsKey } from "./keys.ts";
import type { Current } from "./pointer.ts";
import { CHECK_ROWS, TOUCH } from "./scripts.ts";
import { register, type Staged, type Staging } from "./staging.ts";
import { execute, ROWS_OF_A_COMMAND, Writer } from "./write.ts";

/** Rows after which a publisher says that it is alive. */
const TOUCH_ROWS = 50_000;

interface Rows {
  readonly ids: readonly string[];
  readonly json: readonly string[];
  readonly digests: readonly string[];
}

/** Whether the current version has exactly these rows, and each of them is there. Gives those that are their time. */
export async function checkLookup(staging: Staging, current: Current): Promise<boolean> {
  const { client, publication } = staging;
  let rows = 0;
  for await (const batch of publication.rows()) {
    const parts = partsOf(batch);
    const check = client.pipeline();
    for (const part of parts) check.hmget(current.key, ...part.ids);
    for (const part of parts) addCheck(staging, check, part);
    const answers = await execute(check);
    for (const [i, part] of parts.entries()) {
      rows += part.ids.length;
      const digests = answers[i] as (string | null)[];
      const found = answers[parts.length + i] as string;
      if (found.includes("0") || digests.some((digest, j) => digest !== part.digests[j])) return false;
    }
  }
  return rows === current.length;
}

/** Stages the manifest, and those rows that no version has; after a first version most are there already. */
export async function writeLookup(staging: Staging, current: Current | undefined): Promise<Staged> {
  const { client, publication, prefix, id } = staging;
  const key = contentKey(prefix, id);
  await register(staging, key, "");
  const writer = new Writer(client);
  let rows = 0;
  let written = 0;
  let untouched = 0;
  for await (const batch of publication.rows()) {
    const parts = partsOf(batch);
    const missing =
      current === undefined
        ? await writeManifest(writer, key, parts)
        : await checkManifest(staging, key, parts);
    for (const [i, part] of parts.entries()) {
      rows += part.ids.length;
      written += missing[i]?.length ?? 0;
      await writeRows(staging, writer, part, missing[i] ?? []);
    }
    untouched += batch.json.length;
    if (untouched >= TOUCH_ROWS) {
      untouched = 0;
      await client.eval(TOUCH, 1, versionsKey(prefix), id);
    }
  }
  await writer.finish();
  return { key, length: rows, rows, written };
}

const manifestOf = ({ ids, digests }: Rows): string[] => ids.flatMap((id, i) => [id, digests[i] ?? ""]);

/** Of a first version: all rows have to be written. */
async function writeManifest(writer: Writer, key: string, parts: readonly Rows[]): Promise<number[][]> {
  for (const part of parts) await writer.add(50 * part.ids.length, "HSET", key, ...manifestOf(part));
  return parts.map(({ ids }) => ids.map((_, i) => i));
}

/** Gives the rows of each part that are not there. In this order: from its entry on, a row that is there stays. */
async function checkManifest(staging: Staging, key: string, parts: readonly Rows[]): Promise<number[][]> {
  const check = staging.client.pipeline();
  for (const part of parts) check.hset(key, ...manifestOf(part));
  for (const part of parts) addCheck(staging, check, part);
  const answers = (await execute(check)).slice(parts.length) as string[];
  return parts.map(({ ids }, i) => ids.flatMap((_, j) => (answers[i]?.[j] === "1" ? [] : [j])));
}

function addCheck({ prefix, ttl }: Staging, pipeline: ReturnType<RedisClient["pipeline"]>, part: Rows): void {
  pipeline.eval(CHECK_ROWS, 1, prefix, ttl, ...manifestOf(part));
}

async function writeRows(
  { prefix, ttl }: Staging,
  writer: Writer,
  { ids, json, digests }: Rows,
  missing: readonly number[],
): Promise<void> {
  const pair = (i: number) => [rowKey(prefix, ids[i] ?? "", digests[i] ?? ""), json[i] ?? ""] as const;
  if (ttl === 0) {
    const args = missing.flatMap(pair);
    const bytes = args.reduce((sum, text) => sum + text.length, 0);
    if (args.length > 0) await writer.add(bytes, "MSET", ...args);
    return;
  }
  for (const i of missing) {
    const [name, value] = pair(i);
    await writer.add(name.length + value.length, "SET", name, value, "EX", ttl);
  }
}

function partsOf({ ids, json }: RowBatch): Rows[] {
  const parts: Rows[] = [];
  for (let start = 0; start < json.length; start += ROWS_OF_A_COMMAND) {
    const rows = json.slice(start, start + ROWS_OF_A_COMMAND);
    parts.push({ ids: ids.slice(start, start + ROWS_OF_A_COMMAND), json: rows, digests: rows.map(digestOf) });
  }
  return parts;
}

const digestOf = (json: string): string => hash("sha256", json, "base64url").slice(0, 22);
