/**
 * Immutable files that had to be brought onto this machine, bounded in bytes. Several processes may share the folder:
 * a file appears whole, by renaming, and its modification time says when it was last used.
 */
import { randomUUID } from "node:crypto";
import { rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { evict, PARTIAL } from "./evict.ts";
import { Limit } from "./limit.ts";
import { cacheFolder, makePrivateFolder } from "./private-folder.ts";

export interface CacheOptions {
  /** By default what the environment's INGOT_CACHE says, else a folder of this user in the temporary one. */
  readonly folder?: string;
  /** Bytes that may be kept, beside what is in use; 10 GB by default. */
  readonly maxBytes?: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

const MAX_BYTES = 10 * 1000 ** 3;
/** Files brought in side by side. */
const MOST_AT_ONCE = 8;
/** A use is noted again after so long. */
const NOTE_MS = 60 * 1000;
/** How long a file stays that this process asked for: its SQL may still run. */
const OWN_MS = 60 * 60 * 1000;
/** Part of the bound that may come in before the folder is looked through again. */
const SLACK = 0.05;

export class DataFileCache {
  readonly folder: string;
  private readonly maxBytes: number;
  private readonly now: () => number;
  private readonly limit = new Limit(MOST_AT_ONCE);
  private readonly pending = new Map<string, Promise<string>>();
  /** When this process last asked for a file. */
  private readonly asked = new Map<string, number>();
  private unseenBytes = Number.POSITIVE_INFINITY;

  constructor({ folder, maxBytes = MAX_BYTES, now = Date.now }: CacheOptions = {}) {
    this.folder = folder ?? cacheFolder(process.env);
    this.maxBytes = maxBytes;
    this.now = now;
  }

  /**
   * The local path of the file of this name, which says what is in it: the same name is never used for other bytes.
   * `write` makes it at the path it is given where it is not there yet; what it throws rejects as it is.
   */
  async file(name: string, write: (partial: string) => Promise<void>): Promise<string> {
    this.asked.set(name, this.now());
    const running = this.pending.get(name);
    if (running !== undefined) return running;
    const work = this.find(name).then((found) => found ?? this.limit.run(() => this.make(name, write)));
    this.pending.set(name, work);
    try {
      return await work;
    } finally {
      this.pending.delete(name);
    }
  }

  private async find(name: string): Promise<string | undefined> {
    const path = join(this.folder, name);
    const about = await stat(path).catch(() => undefined);
    if (about === undefined) return undefined;
    await makePrivateFolder(this.folder);
    const now = this.now();
    if (about.mtimeMs > now - NOTE_MS) return path;
    const noted = await utimes(path, now / 1000, now / 1000).then(
      () => true,
      () => false,
    );
    // Another process may just have removed it.
    return noted ? path : undefined;
  }

  private async make(name: string, write: (partial: string) => Promise<void>): Promise<string> {
    await makePrivateFolder(this.folder);
    const partial = join(this.folder, `${PARTIAL}${randomUUID()}`);
    const path = join(this.folder, name);
    try {
      await write(partial);
      this.unseenBytes += (await stat(partial)).size;
      await rename(partial, path);
    } finally {
      await rm(partial, { force: true });
    }
    if (this.unseenBytes > this.maxBytes * SLACK) await this.tidy();
    return path;
  }

  private async tidy(): Promise<void> {
    this.unseenBytes = 0;
    const since = this.now() - OWN_MS;
    for (const [name, at] of this.asked) if (at < since) this.asked.delete(name);
    const left = await evict(this.folder, this.maxBytes, this.now(), (name) => this.asked.has(name));
    // What is in use may exceed the bound: then every new file looks again.
    if (left > this.maxBytes) this.unseenBytes = this.maxBytes;
  }
}

let shared: DataFileCache | undefined;

/** The cache of this process, in the default place. */
export function sharedCache(): DataFileCache {
  shared ??= new DataFileCache();
  return shared;
}

/** Bounds the cache of this process; to be said before it is used. */
export function boundSharedCache(maxBytes: number): void {
  shared = new DataFileCache({ maxBytes });
}
