import { mkdir, readdir, readlink, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { codeOf, TransientError } from "../../lakehouse/errors.ts";
import { birthOf } from "./processes.ts";

/** Text of a lock that nobody holds. */
const FREE = "free";
const PAUSE = 20;

/**
 * Runs `work` while no other process on this machine (and no other caller in this one) does so for the same folder.
 * A holder that was killed is noticed and replaced. Not reentrant.
 *
 * The lock is a row of links `<folder>/lock/<number>` whose target is text: who holds it, or `free`. Only the
 * greatest number counts. To take a lock that is free, or whose holder is dead, is to create the next number, which
 * succeeds for one rival only; to give it back is to create the next number as `free`. Nothing is ever taken over
 * in place: two rivals that both found a dead holder could otherwise take the lock from each other.
 *
 * @throws TransientError `FOLDER_LOCKED` when the holder keeps it longer than `patience` milliseconds.
 */
export async function withFolderLock<T>(
  folder: string,
  work: () => Promise<T>,
  patience = 180_000,
): Promise<T> {
  const locks = join(folder, "lock");
  await mkdir(locks, { recursive: true });
  const number = await acquire(locks, Date.now() + patience);
  try {
    return await work();
  } finally {
    if (await create(locks, number + 1, FREE)) await removeBelow(locks, number + 1);
  }
}

async function acquire(locks: string, deadline: number): Promise<number> {
  const me = `${process.pid} ${birthOf(process.pid)}`;
  for (;;) {
    const top = await greatest(locks);
    const holder = top === 0 ? FREE : await read(locks, top);
    if (holder !== undefined && !isHeld(holder)) {
      const mine = top + 1;
      if (await create(locks, mine, me)) {
        // Created late, after others had moved on and cleaned up: then it is not the greatest and means nothing.
        if ((await greatest(locks)) === mine) {
          await removeBelow(locks, mine);
          return mine;
        }
        await rm(join(locks, String(mine)), { force: true });
      }
    } else if (Date.now() > deadline) {
      throw new TransientError(`Another process (${holder?.split(" ")[0]}) keeps ${locks} locked.`, {
        code: "FOLDER_LOCKED",
        value: locks,
        next: "Wait for that process, or end it if it hangs, and try again.",
      });
    } else {
      await delay(PAUSE);
    }
  }
}

function isHeld(holder: string): boolean {
  if (holder === FREE) return false;
  const blank = holder.indexOf(" ");
  return birthOf(Number(holder.slice(0, blank))) === holder.slice(blank + 1);
}

async function greatest(locks: string): Promise<number> {
  return Math.max(0, ...(await readdir(locks)).map(Number).filter(Number.isSafeInteger));
}

/** The text of a lock; `undefined` when it was cleaned up meanwhile, because a greater one exists. */
async function read(locks: string, number: number): Promise<string | undefined> {
  try {
    return await readlink(join(locks, String(number)));
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function create(locks: string, number: number, text: string): Promise<boolean> {
  try {
    await symlink(text, join(locks, String(number)));
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

async function removeBelow(locks: string, number: number): Promise<void> {
  for (const name of await readdir(locks)) {
    if (Number(name) < number) await rm(join(locks, name), { force: true });
  }
}
