/** The port to wherever consumers read metrics. Every target keeps the same promise: whole versions, never backwards. */

/** One version of one published set, whole. */
export interface PublishedVersion {
  /** `pipeline/metric` */
  readonly set: string;
  /** Orders the versions of a set; see `versionToken`. */
  readonly token: string;
  /** Version of the gold table. */
  readonly version: number;
  /** ISO 8601. */
  readonly publishedAt: string;
  /** ISO 8601; after it the version counts as absent. */
  readonly expiresAt?: string;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/** `published`: it is the newest now. `unchanged`: it was already there. `stale`: a newer one is, this one was refused. */
export type PublishStatus = "published" | "unchanged" | "stale";

export interface PublishTarget {
  /** Where this is, for people, without secrets. */
  readonly name: string;
  /** Makes a version visible at once, unless a newer one is there. */
  publish(version: PublishedVersion): Promise<PublishStatus>;
  /** The newest version, whole; undefined where there is none. */
  read(set: string): Promise<PublishedVersion | undefined>;
  close(): Promise<void>;
}

/**
 * Orders versions as text: first by when the gold table was created (a lake made anew starts at version 0 again,
 * and is newer all the same), then by its version.
 */
export function versionToken(createdTime: number, version: number): string {
  return `${String(createdTime).padStart(15, "0")}-${String(version).padStart(15, "0")}`;
}

/** JSON of a published value: integers stay numbers where JavaScript holds them exactly, and become text beyond. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, v: unknown) => {
    if (typeof v !== "bigint") return v;
    return Number.isSafeInteger(Number(v)) ? Number(v) : String(v);
  });
}
