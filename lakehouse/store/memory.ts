import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkPath, type ObjectStore, type StoredObject } from "./store.ts";

interface Held {
  readonly bytes: Uint8Array;
  readonly modifiedAt: number;
}

/** A store that lives in this process: for tests and for tables that need not outlive it. */
export class MemoryStore implements ObjectStore {
  readonly root: string;
  private readonly prefix: string;
  private readonly objects: Map<string, Held>;

  constructor(prefix = "", objects = new Map<string, Held>()) {
    this.prefix = prefix;
    this.objects = objects;
    this.root = `memory:/${prefix}`;
  }

  async list(prefix: string, from = ""): Promise<StoredObject[]> {
    const found: StoredObject[] = [];
    for (const [key, held] of this.objects) {
      if (!key.startsWith(this.prefix)) continue;
      const path = key.slice(this.prefix.length);
      if (path.startsWith(prefix) && path >= from) {
        found.push({ path, size: held.bytes.length, modifiedAt: held.modifiedAt });
      }
    }
    return found.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  async get(path: string): Promise<Uint8Array | undefined> {
    return this.objects.get(this.key(path))?.bytes;
  }

  async getRange(path: string, start: number, end: number): Promise<Uint8Array | undefined> {
    return this.objects.get(this.key(path))?.bytes.subarray(start, end);
  }

  async put(path: string, bytes: Uint8Array): Promise<void> {
    this.objects.set(this.key(path), { bytes: bytes.slice(), modifiedAt: Date.now() });
  }

  async putIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    if (this.objects.has(this.key(path))) return false;
    await this.put(path, bytes);
    return true;
  }

  async putFile(path: string, localFile: string): Promise<void> {
    await this.put(path, await readFile(localFile));
    await rm(localFile);
  }

  async delete(path: string): Promise<void> {
    this.objects.delete(this.key(path));
  }

  address(): undefined {
    return undefined;
  }

  stagingFolder(): Promise<string> {
    return mkdtemp(join(tmpdir(), "ingot-staging-"));
  }

  within(path: string): MemoryStore {
    return new MemoryStore(`${this.key(path)}/`, this.objects);
  }

  private key(path: string): string {
    return this.prefix + checkPath(path);
  }
}
