/** When the versions of a table came to be (PROTOCOL.md, "In-Commit Timestamps"). All times are milliseconds. */
import type { ObjectStore } from "../../store/store.ts";
import { type CommitInfo, parseCommit } from "../actions.ts";
import { commitPath } from "../log.ts";
import type { LogListing } from "./listing.ts";

/**
 * Times of the commits by their files, made to ascend: a file that is not newer than the one before counts as one
 * millisecond later, for copies and clocks that went back must not hide a version.
 */
export function fileTimes({ commits }: Pick<LogListing, "commits">): ReadonlyMap<number, number> {
  const times = new Map<number, number>();
  let last = Number.NEGATIVE_INFINITY;
  for (const [version, modifiedAt] of commits) {
    last = Math.max(modifiedAt, last + 1);
    times.set(version, last);
  }
  return times;
}

/** What a commit says of itself, without its other actions; undefined where it does not, or is not there. */
async function readCommitInfo(store: ObjectStore, version: number): Promise<CommitInfo | undefined> {
  const path = commitPath(version);
  const bytes = await store.get(path);
  if (bytes === undefined) return undefined;
  const lines = Buffer.from(bytes).toString().split("\n");
  const line = lines.find((text) => text.includes('"commitInfo"'));
  const [action] = line === undefined ? [] : parseCommit(line, `${store.root}/${path}`);
  return action && "commitInfo" in action ? action.commitInfo : undefined;
}

/**
 * Times of the commits `first` to `last`, all of which are in the listing. A table that keeps time in its commits does
 * so from some version on; earlier ones have the times of their files. Commits are read only as far as a search by
 * halves needs them.
 */
export class CommitTimes {
  private readonly store: ObjectStore;
  private readonly files: ReadonlyMap<number, number>;
  private readonly first: number;
  private readonly last: number;
  private readonly inCommit = new Map<number, number | undefined>();

  constructor(store: ObjectStore, listing: LogListing, first: number, last: number) {
    this.store = store;
    this.files = fileTimes(listing);
    this.first = first;
    this.last = last;
  }

  /** The time of one version. */
  async of(version: number): Promise<number> {
    return (await this.stated(version)) ?? this.files.get(version) ?? 0;
  }

  /** The last version at or before an instant; undefined where all are later. */
  async lastUntil(millis: number): Promise<number | undefined> {
    const enabled = await this.enablement();
    const isLate = enabled <= this.last && ((await this.stated(enabled)) ?? 0) <= millis;
    const [from, to] = isLate ? [enabled, this.last] : [this.first, enabled - 1];
    const after = await firstWhere(from, to, async (version) => (await this.of(version)) > millis);
    return after - 1 < this.first ? undefined : after - 1;
  }

  /** The first version whose commit states its time; the one after the last where none does. */
  private async enablement(): Promise<number> {
    if ((await this.stated(this.last)) === undefined) return this.last + 1;
    return firstWhere(this.first, this.last, async (version) => (await this.stated(version)) !== undefined);
  }

  private async stated(version: number): Promise<number | undefined> {
    if (!this.inCommit.has(version)) {
      this.inCommit.set(version, (await readCommitInfo(this.store, version))?.inCommitTimestamp);
    }
    return this.inCommit.get(version);
  }
}

/** The first number of a range for which a condition holds, which then holds for all after it; else `to + 1`. */
async function firstWhere(from: number, to: number, holds: (n: number) => Promise<boolean>): Promise<number> {
  let [low, high] = [from, to + 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (await holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
