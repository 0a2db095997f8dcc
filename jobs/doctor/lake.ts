import { randomUUID } from "node:crypto";
import { rmdir } from "node:fs/promises";
import { dirname } from "node:path";
import { openStore } from "../../lakehouse/lake.ts";
import type { S3Options } from "../../lakehouse/store/s3.ts";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import { type CheckResult, failed, ok } from "./check.ts";

/** No pipeline's name begins with an underscore, so no table is below it; readers of the lake pass over it. */
const FOLDER = "_doctor";

/** Opens the lake, which `s3` leads to where it is in a bucket, and tries what commits rely on. */
export async function checkLake(root: string, s3?: S3Options): Promise<CheckResult> {
  return checkStore(openStore(root, s3));
}

/** Writes, races for a name, lists and deletes; leaves nothing behind. */
export async function checkStore(store: ObjectStore): Promise<CheckResult> {
  // A name of its own: another doctor may be at work on the same lake.
  const path = `${FOLDER}/${randomUUID()}`;
  try {
    const problem = await findProblem(store, path);
    if (problem === undefined) return ok("lake", `${store.root}: write, conditional create, list, delete`);
    return failed(
      "lake",
      `${store.root}: ${problem}`,
      "This storage cannot hold a lake, commits on it would be lost: set `lake` or INGOT_LAKE to a local disk, or to a bucket of a service that honours If-None-Match.",
    );
  } finally {
    await store.delete(path).catch(() => {});
    await removeEmptyFolder(store, path);
  }
}

/** What the storage does that it must not do, in words. */
async function findProblem(store: ObjectStore, path: string): Promise<string | undefined> {
  const rivals = ["first", "second"];
  const won = await Promise.all(rivals.map((rival) => store.putIfAbsent(path, Buffer.from(rival))));
  const winners = rivals.filter((_, i) => won[i]);
  if (winners.length !== 1) return `of two conditional creates of one name ${winners.length} succeeded`;
  const stored = Buffer.from((await store.get(path)) ?? []).toString();
  if (stored !== winners[0]) return "a conditional create succeeded, and another one's bytes were read back";
  if (await store.putIfAbsent(path, Buffer.from("late"))) return "a conditional create replaced an object";
  const listed = await store.list(`${FOLDER}/`, path);
  if (listed[0]?.path !== path) return "an object that was just written is not listed";
  await store.delete(path);
  if ((await store.get(path)) !== undefined) return "an object that was deleted is still there";
  return undefined;
}

/** Folders are no part of a store; where there is one on a disk it goes, unless somebody else is using it. */
async function removeEmptyFolder(store: ObjectStore, path: string): Promise<void> {
  const address = store.address(path);
  if (address?.startsWith("/")) await rmdir(dirname(address)).catch(() => {});
}
