/** One try to publish a version to Redis: its rows are staged under keys of their own, then the pointer is moved. */
import { createHash, randomBytes } from "node:crypto";
import { setLost } from "../set-lost.ts";
import type { Publication, PublishOutcome, PublishStatus, RowBatch } from "../target.ts";
import type { RedisClient } from "./connect.ts";
import { channelOf, contentKey, EVENTS_KEPT, eventsKey, prefixOf, versionKey, versionsKey } from "./keys.ts";
import { checkLookup, writeLookup } from "./lookup.ts";
import { type Current, isIntact, parsePointer } from "./pointer.ts";
import { BEGIN, MOVE, RENEW } from "./scripts.ts";
import { register, type Staged, type Staging } from "./staging.ts";
import { Writer, writeForm } from "./write.ts";

/** Bytes of JSON up to which a set is digested before anything is written, without reading it twice. */
const HELD_BYTES = 4 * 1024 * 1024;

/** `ids`: of all tries of this publication; the last is for this one. */
export async function publishVersion(
  client: RedisClient,
  publication: Publication,
  ids: string[],
  now: number,
): Promise<PublishOutcome> {
  const { set, token } = publication;
  const prefix = prefixOf(set, publication.key);
  const id = `${token}.${randomBytes(6).toString("hex")}`;
  const staging: Staging = { client, publication, prefix, id, ttl: secondsToLive(publication, now) };
  const answer = await client.eval(BEGIN, 1, prefix, randomBytes(12).toString("hex"));
  const pointer = pairs(answer as string[]);
  const current = parsePointer(pointer, prefix);
  const { epoch = "" } = pointer;
  const end = (status: PublishStatus, rows: number, written = 0) => ({ status, rows, written });
  if (pointer.newest !== undefined && pointer.newest > token) return end("stale", 0);
  if (current?.rolledBack && token <= current.newest && (await isIntact(client, current))) {
    return end("held", current.rows);
  }
  if (current !== undefined && ids.includes(current.current)) {
    // An answer was lost on the way, not the work.
    return end("published", current.rows, current.rows);
  }
  if (current !== undefined && (await isUnchanged(staging, current))) {
    if (await renew(staging, current, epoch)) return end("unchanged", current.rows);
    throw setLost(set);
  }
  ids.push(id);
  const staged =
    publication.form.kind === "lookup"
      ? await writeLookup(staging, current)
      : await writeSet(staging, current);
  const moved = await move(staging, staged, { epoch, base: pointer.current ?? "" });
  if (moved === "lost") throw setLost(set);
  return end(moved, staged.rows, staged.written);
}

/** Whether readers see this version already, all of it. */
async function isUnchanged(staging: Staging, current: Current): Promise<boolean> {
  const { client, publication } = staging;
  if (current.token !== publication.token || current.fingerprint !== publication.fingerprint) return false;
  if (!(await isIntact(client, current))) return false;
  return current.kind !== "lookup" || checkLookup(staging, current);
}

async function renew({ client, publication, prefix, ttl }: Staging, current: Current, epoch: string) {
  // Whose time does not run out needs no more of it.
  if (publication.expiresAt === undefined && current.parsed.expiresAt === undefined) return true;
  const { key, kind } = current;
  const keys = [prefix, versionKey(prefix, current.current), key];
  if (kind !== "list" && kind !== "lookup") keys.push(`${key}:rows`);
  const stamp = stampOf(publication);
  return (await client.eval(RENEW, keys.length, ...keys, epoch, current.current, ttl, stamp)) === 1;
}

/** Rows in one key: written anew, or that of the current version where they are the same. */
async function writeSet(staging: Staging, current: Current | undefined): Promise<Staged> {
  const { client, publication, prefix, id } = staging;
  const { rows, digest, held } = await digestRows(publication);
  if (current !== undefined && current.fingerprint === publication.fingerprint) {
    const known = await client.hget(versionKey(prefix, current.current), "digest");
    if (known === digest) {
      await register(staging, current.key, digest);
      if (await isIntact(client, current)) {
        return { key: current.key, length: current.length, rows: current.rows, written: 0 };
      }
    }
  }
  const key = contentKey(prefix, id);
  await register(staging, key, digest);
  const writer = new Writer(client);
  let length = 0;
  let written = 0;
  for await (const batch of held ?? publication.rows()) {
    written += batch.json.length;
    length += await writeForm(writer, key, publication.form, batch);
  }
  await writer.finish();
  return { key, length, rows: held === undefined ? written : rows, written };
}

/** Digest of the rows in their order; the rows themselves where they are few. */
async function digestRows(publication: Publication) {
  const hash = createHash("sha256");
  let held: RowBatch[] | undefined = [];
  let bytes = 0;
  let rows = 0;
  for await (const batch of publication.rows()) {
    for (const json of batch.json) {
      hash.update(json).update("\n");
      bytes += json.length;
    }
    rows += batch.json.length;
    if (bytes > HELD_BYTES) held = undefined;
    held?.push(batch);
  }
  return { rows, digest: hash.digest("hex"), held };
}

async function move(
  { client, publication, prefix, id, ttl }: Staging,
  { key, length, rows }: Staged,
  { epoch, base }: { readonly epoch: string; readonly base: string },
): Promise<PublishStatus | "lost"> {
  const { set, token, fingerprint } = publication;
  const version = versionKey(prefix, id);
  await client.hset(version, { key, length, rows });
  const keys = [prefix, versionsKey(prefix), version, eventsKey(prefix)];
  const stamp = stampOf(publication);
  const args = [epoch, id, base, ttl, EVENTS_KEPT, channelOf(set), stamp, token, fingerprint];
  const [status] = (await client.eval(MOVE, keys.length, ...keys, ...args)) as [PublishStatus | "lost"];
  return status;
}

const stampOf = ({ set, token, version, publishedAt, expiresAt, source }: Publication): string =>
  JSON.stringify({ set, token, version, publishedAt, expiresAt, source });

function secondsToLive({ expiresAt }: Publication, now: number): number {
  return expiresAt === undefined ? 0 : Math.max(1, Math.ceil((Date.parse(expiresAt) - now) / 1000));
}

function pairs(flat: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let i = 0; i + 1 < flat.length; i += 2) fields[flat[i] ?? ""] = flat[i + 1] ?? "";
  return fields;
}
