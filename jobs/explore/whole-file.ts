/** Files that are there whole or not at all. */
import { randomUUID } from "node:crypto";
import { link, open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { codeOf, TerminalError } from "../../lakehouse/errors.ts";
import { onCleanup } from "../cleanup.ts";

/**
 * Has `write` fill a new file beside `file`, whose name it is given, and moves it there when it is done; whatever goes
 * wrong, nothing is left behind. A file that is there is replaced only by `force`, else `FILE_EXISTS`; a folder never.
 */
export async function writeWhole<T>(
  file: string,
  force: boolean,
  write: (temporary: string) => Promise<T>,
): Promise<T> {
  const target = resolve(file);
  await refuseExisting(target, force);
  const temporary = join(dirname(target), `.${basename(target)}.${randomUUID()}.tmp`);
  const remove = onCleanup(() => removeAll(temporary));
  try {
    const result = await write(temporary);
    await sync(temporary);
    if (force) await rename(temporary, target);
    else await moveNew(temporary, target);
    return result;
  } catch (error) {
    if (codeOf(error) === "EEXIST") throw exists(target);
    throw error;
  } finally {
    await remove();
  }
}

/** A file of DuckDB's has a log beside it while it is written. */
const removeAll = async (file: string): Promise<void> => {
  await rm(file, { force: true });
  await rm(`${file}.wal`, { force: true });
};

async function refuseExisting(target: string, force: boolean): Promise<void> {
  const folder = await stat(dirname(target)).catch(() => undefined);
  if (folder?.isDirectory() !== true)
    throw new TerminalError("the folder of this file does not exist", {
      code: "FILE_NO_FOLDER",
      value: target,
      next: "Make the folder, or name another file.",
    });
  const there = await stat(target).catch(() => undefined);
  if (there !== undefined && (!force || !there.isFile())) throw exists(target);
}

/** A hard link is refused where a file has come meanwhile; some file systems have none. */
async function moveNew(temporary: string, target: string): Promise<void> {
  try {
    await link(temporary, target);
  } catch (error) {
    if (codeOf(error) === "EEXIST") throw error;
    await refuseExisting(target, false);
    await rename(temporary, target);
  }
}

async function sync(file: string): Promise<void> {
  const handle = await open(file, "r+");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function exists(target: string): TerminalError {
  return new TerminalError("there is something of this name already", {
    code: "FILE_EXISTS",
    value: target,
    allowed: "a file that does not exist; with --force, one that does",
    next: "Name another file, or replace it with --force.",
  });
}
