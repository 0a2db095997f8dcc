/** The version that a table had at an instant. */
import { TerminalError } from "../../errors.ts";
import type { ObjectStore } from "../../store/store.ts";
import { CommitTimes } from "./commit-times.ts";
import { type LogListing, listLog } from "./listing.ts";
import { readableRanges } from "./segment.ts";

/**
 * The last version at or before `millis` since the epoch. Rejects an instant before the first version that can still
 * be read, and one after the last, as Spark does: what the table will be at an instant to come, or was at one that
 * nothing has confirmed yet, may still change. `DELTA_NO_SUCH_TIME` says what there is.
 */
export async function versionAt(store: ObjectStore, millis: number): Promise<number> {
  const listing = await listLog(store);
  const range = timedRange(listing);
  if (range === undefined) {
    throw new TerminalError(`there is no Delta table at ${store.root}`, {
      code: "DELTA_NO_TABLE",
      value: store.root,
      allowed: "a folder with a _delta_log inside",
    });
  }
  const [first, last] = range;
  const times = new CommitTimes(store, listing, first, last);
  const newest = await times.of(last);
  const version = millis > newest ? undefined : await times.lastUntil(millis);
  if (version !== undefined) return version;
  const [from, to] = [await times.of(first), newest].map((time) => new Date(time).toISOString());
  throw new TerminalError(`${store.root} has no version of ${isoTime(millis)}`, {
    code: "DELTA_NO_SUCH_TIME",
    value: isoTime(millis),
    allowed: `${from} (version ${first}) to ${to} (version ${last})`,
    next:
      millis > newest
        ? "Leave the time out for the newest version."
        : first === 0
          ? `The table is no older: its first version is of ${from}.`
          : "Older versions were cleaned away.",
  });
}

/** First and last of the newest versions without gap whose commits are there. */
export function timedRange(listing: LogListing): readonly [first: number, last: number] | undefined {
  const [start, end] = readableRanges(listing).at(-1) ?? [0, -1];
  let first = end + 1;
  while (first - 1 >= start && listing.commits.has(first - 1)) first--;
  return first > end ? undefined : [first, end];
}

function isoTime(millis: number): string {
  return Number.isFinite(millis) && Math.abs(millis) <= 8.64e15
    ? new Date(millis).toISOString()
    : String(millis);
}
