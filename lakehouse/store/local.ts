import { randomUUID } from "node:crypto";
import type { Dirent } from "node:fs";
import { link, mkdir, open, readdir, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { codeOf, messageOf, TerminalError } from "../errors.ts";
import { checkPath, type ObjectStore, type StoredObject } from "./store.ts";

/** Files that are being written; never listed, left behind only by a crash. */
const TEMPORARY = ".tmp-";
/** Parquet files on their way in; the underscore hides them from other readers of the table. */
const STAGING = "_staging";
const ABANDONED_MS = 24 * 3600 * 1000;

const NOT_WRITABLE = new Set(["EACCES", "EPERM", "EROFS", "ENOTDIR", "ENOSPC", "EDQUOT", "EISDIR", "ENOENT"]);

/**
 * A folder as a store. An object is written to a temporary name, synced, and then linked (`putIfAbsent`) or
 * renamed (`put`): a reader never meets half an object, and of rivals only one link succeeds. `O_EXCL` would give
 * one winner too, but readers could see its file while it is being written.
 */
export class LocalStore implements ObjectStore {
  readonly root: string;

  constructor(root: string) {
    this.root = resolve(root);
  }

  async list(prefix: string, from = ""): Promise<StoredObject[]> {
    const folder = prefix.includes("/") ? prefix.slice(0, prefix.lastIndexOf("/")) : "";
    const found: StoredObject[] = [];
    await this.walk(folder, (path) => path.startsWith(prefix) && path >= from, found);
    return found.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  async get(path: string): Promise<Uint8Array | undefined> {
    return absentAsUndefined(readFile(this.file(path)));
  }

  async getRange(path: string, start: number, end: number): Promise<Uint8Array | undefined> {
    const file = await absentAsUndefined(open(this.file(path), "r"));
    if (file === undefined) return undefined;
    try {
      const buffer = Buffer.alloc(Math.max(0, end - start));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }

  put(path: string, bytes: Uint8Array): Promise<void> {
    return this.writing(async () => {
      const temporary = await this.writeTemporary(path, bytes);
      await rename(temporary, this.file(path));
      await syncFolder(dirname(this.file(path)));
    });
  }

  putIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    return this.writing(async () => {
      const temporary = await this.writeTemporary(path, bytes);
      try {
        await link(temporary, this.file(path));
      } catch (error) {
        if (codeOf(error) === "EEXIST") return false;
        throw error;
      } finally {
        await rm(temporary, { force: true });
      }
      await syncFolder(dirname(this.file(path)));
      return true;
    });
  }

  putFile(path: string, localFile: string): Promise<void> {
    return this.writing(async () => {
      const target = this.file(path);
      await makeFolder(dirname(target), true);
      const file = await open(localFile, "r+");
      try {
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(localFile, target);
      await syncFolder(dirname(target));
    });
  }

  async delete(path: string): Promise<void> {
    await rm(this.file(path), { force: true });
  }

  address(path: string): string {
    return this.file(path);
  }

  stagingFolder(): Promise<string> {
    return this.writing(async () => {
      const folder = join(this.root, STAGING, randomUUID());
      await makeFolder(folder, false);
      await sweepStaging(dirname(folder));
      return folder;
    });
  }

  within(path: string): LocalStore {
    return new LocalStore(this.file(path));
  }

  private file(path: string): string {
    return join(this.root, checkPath(path));
  }

  /** Runs a write; what the file system refuses is told with the folder and what to do. */
  private async writing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (!NOT_WRITABLE.has(codeOf(cause) ?? "")) throw cause;
      throw new TerminalError(`cannot write to ${this.root}: ${messageOf(cause)}`, {
        code: "STORE_NOT_WRITABLE",
        value: this.root,
        allowed: "a folder that this user may write, on a disk with room",
        next: "Check its owner, its rights and the free space, or choose another lake with INGOT_LAKE.",
        cause,
      });
    }
  }

  private async writeTemporary(path: string, bytes: Uint8Array): Promise<string> {
    const folder = dirname(this.file(path));
    const temporary = join(folder, `${TEMPORARY}${randomUUID()}`);
    const file = await open(temporary, "wx").catch(async (error: unknown) => {
      if (codeOf(error) !== "ENOENT") throw error;
      await makeFolder(folder, true);
      return open(temporary, "wx");
    });
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    return temporary;
  }

  /** What a link leads to; a folder that holds the link itself is none of the store's. */
  private async linked(path: string): Promise<"folder" | "circle" | "file"> {
    const link = join(this.root, path);
    const target = await absentAsUndefined(realpath(link));
    if (target === undefined || !(await stat(target)).isDirectory()) return "file";
    const holder = await realpath(dirname(link));
    return `${holder}${sep}`.startsWith(`${target}${sep}`) ? "circle" : "folder";
  }

  private async kindOf(entry: Dirent, path: string): Promise<"folder" | "circle" | "file"> {
    if (entry.isSymbolicLink()) return this.linked(path);
    return entry.isDirectory() ? "folder" : "file";
  }

  private async walk(
    folder: string,
    wanted: (path: string) => boolean,
    found: StoredObject[],
  ): Promise<void> {
    const entries = await absentAsUndefined(readdir(join(this.root, folder), { withFileTypes: true }));
    for (const entry of entries ?? []) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      const kind = await this.kindOf(entry, path);
      if (kind === "circle") continue;
      if (kind === "folder") {
        if (entry.name !== STAGING) await this.walk(path, wanted, found);
      } else if (!entry.name.startsWith(TEMPORARY) && wanted(path)) {
        // A file may vanish between readdir and stat: then it was not there.
        const about = await absentAsUndefined(stat(join(this.root, path)));
        if (about) found.push({ path, size: about.size, modifiedAt: about.mtimeMs });
      }
    }
  }
}

/** Removes what killed writers left, once nobody can be writing it any more: files appear in it all the while. */
async function sweepStaging(staging: string): Promise<void> {
  for (const name of await readdir(staging)) {
    const about = await absentAsUndefined(stat(join(staging, name)));
    if (about && about.mtimeMs < Date.now() - ABANDONED_MS) {
      await rm(join(staging, name), { recursive: true, force: true });
    }
  }
}

async function absentAsUndefined<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

/**
 * Makes a folder with its parents, and syncs what it made, so that a power cut cannot take the folder of a durable
 * file. (Node's own recursive mkdir never ends below a folder such as /proc, which denies its children by ENOENT.)
 */
async function makeFolder(folder: string, durable: boolean): Promise<void> {
  try {
    await makeOne(folder);
  } catch (error) {
    if (codeOf(error) !== "ENOENT" || dirname(folder) === folder) throw error;
    await makeFolder(dirname(folder), durable);
    await makeOne(folder);
  }
  if (durable) await syncFolder(dirname(folder));
}

async function makeOne(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  }
}

/** A name is durable only when its folder has been synced. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
