/**
 * The embedded target: versions as immutable files in the lake. The newest name is the newest version, so that
 * creating a file is publishing it, and a stale publisher cannot hide a newer one.
 */
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import { type PublishedVersion, type PublishStatus, type PublishTarget, toJson } from "./target.ts";
import { parseVersion } from "./version-schema.ts";

/** Superseded versions that stay for readers who have just listed them. */
const KEPT = 3;

export class EmbeddedTarget implements PublishTarget {
  readonly name: string;
  private readonly store: ObjectStore;
  private readonly now: () => number;

  constructor(store: ObjectStore, now: () => number = Date.now) {
    this.store = store;
    this.now = now;
    this.name = `files in ${store.root}`;
  }

  async publish(version: PublishedVersion): Promise<PublishStatus> {
    const path = `${folderOf(version.set)}${version.token}.json`;
    const newest = (await this.versions(version.set)).at(-1);
    if (newest !== undefined && newest > path) return "stale";
    const created = await this.store.putIfAbsent(path, Buffer.from(toJson(version)));
    const all = await this.versions(version.set);
    for (const old of all.slice(0, -KEPT)) await this.store.delete(old);
    if (!created) return "unchanged";
    return all.at(-1) === path ? "published" : "stale";
  }

  async read(set: string): Promise<PublishedVersion | undefined> {
    for (;;) {
      const newest = (await this.versions(set)).at(-1);
      if (newest === undefined) return undefined;
      const bytes = await this.store.get(newest);
      // It was superseded and cleaned away between the two calls: there is a newer one.
      if (bytes === undefined) continue;
      return parseVersion(Buffer.from(bytes).toString(), newest, this.now());
    }
  }

  async close(): Promise<void> {}

  private async versions(set: string): Promise<string[]> {
    const objects = await this.store.list(folderOf(set));
    return objects.map((object) => object.path);
  }
}

function folderOf(set: string): string {
  const [pipeline, metric] = set.split("/");
  return `${pipeline}/_ingot/published/${metric}/`;
}
