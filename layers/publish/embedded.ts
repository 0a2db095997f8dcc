/**
 * The embedded target: versions as immutable files in the lake. The newest name is the newest version, so that
 * creating a file is publishing it, and a stale publisher cannot hide a newer one.
 */
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import { type PublishedVersion, type PublishStatus, type PublishTarget, toJson } from "./target.ts";
import { MOST_TRIES, parseVersion, readContention } from "./version-schema.ts";

/** Superseded versions that stay for readers who have just listed them. */
const KEPT = 3;
const VERSION = /\/\d{15}-\d{15}\.json$/;

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
    const bytes = Buffer.from(toJson(version));
    const created = await this.store.putIfAbsent(path, bytes);
    // The same version again lives on for as long as it was asked to.
    if (!created && version.expiresAt !== undefined) await this.store.put(path, bytes);
    const all = await this.versions(version.set);
    for (const old of all.slice(0, -KEPT)) await this.store.delete(old);
    if (!created) return "unchanged";
    return all.at(-1) === path ? "published" : "stale";
  }

  async read(set: string): Promise<PublishedVersion | undefined> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const newest = (await this.versions(set)).at(-1);
      if (newest === undefined) return undefined;
      const bytes = await this.store.get(newest);
      if (bytes !== undefined) return parseVersion(Buffer.from(bytes).toString(), newest, this.now());
      // It was superseded and cleaned away between the two calls: there is a newer one.
    }
    throw readContention(set);
  }

  async close(): Promise<void> {}

  private async versions(set: string): Promise<string[]> {
    const objects = await this.store.list(folderOf(set));
    // Whatever else lies there is none of ours.
    return objects.map((object) => object.path).filter((path) => VERSION.test(path));
  }
}

function folderOf(set: string): string {
  const [pipeline, metric] = set.split("/");
  return `${pipeline}/_ingot/published/${metric}/`;
}
