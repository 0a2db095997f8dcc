/** The periods that images are of: days and hours of a time zone. */
import type { AddFile } from "../../../lakehouse/delta/actions.ts";
import type { SnapshotOptions } from "../../definition/model.ts";
import { imageColumn } from "../../definition/model-columns.ts";

const [SECOND_MS, MINUTE_MS, DAY_MS] = [1000, 60_000, 24 * 3600_000];

/**
 * The period of an instant, both in milliseconds since the epoch: of an hour its beginning, of a day midnight in UTC of
 * its date. An hour that clocks go through twice is two.
 */
export function periodAt(now: number, { every = "day", timeZone = "UTC" }: SnapshotOptions): number {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    minute: "numeric",
    second: "numeric",
  }).formatToParts(now);
  const of = (type: Intl.DateTimeFormatPartTypes) =>
    Number(parts.find((part) => part.type === type)?.value ?? 0);
  if (every === "day") return Date.UTC(of("year"), of("month") - 1, of("day"));
  const whole = Math.floor(now / SECOND_MS) * SECOND_MS;
  return whole - of("minute") * MINUTE_MS - of("second") * SECOND_MS;
}

/** The value of the image's column, as SQL. */
export const periodSql = (period: number, { every }: SnapshotOptions): string =>
  every === "hour"
    ? `make_timestamptz(${period * 1000}::BIGINT)`
    : `DATE '${new Date(period).toISOString().slice(0, 10)}'`;

/** The period that a file's rows are of; NaN where its partition says none. */
export function periodOf(
  { partitionValues }: Pick<AddFile, "partitionValues">,
  options: SnapshotOptions,
): number {
  const value = partitionValues[imageColumn(options)] ?? "";
  const [date = "", time] = value.replace(" ", "T").replace(/Z$/, "").split("T");
  return Date.parse(time === undefined ? `${date}T00:00:00Z` : `${date}T${time}Z`);
}

/** Whether an image is to go to its cold place. */
export function isOld(period: number, current: number, { cold }: SnapshotOptions): boolean {
  return cold !== undefined && period < current - cold.afterDays * DAY_MS;
}
