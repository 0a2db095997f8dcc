import type { Schedule } from "../../../layers/definition/schedule.ts";

/** When a schedule runs, in a few words: its expression and zone, what it comes after, that it follows. */
export function timetableText({ cron, timeZone = "UTC", after = [], follow }: Schedule): string {
  return [
    follow === undefined ? [] : "follows changes",
    cron === undefined ? [] : `${cron}${timeZone === "UTC" ? " UTC" : ` ${timeZone}`}`,
    after.length === 0 ? [] : `after ${after.join(", ")}`,
  ]
    .flat()
    .join("; ");
}
