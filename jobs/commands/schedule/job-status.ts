/** What the lake says of one job. */
import type { Leases } from "../../../lakehouse/lease/leases.ts";
import type { ObjectStore } from "../../../lakehouse/store/store.ts";
import { nextDue } from "../../../layers/schedule/due-times.ts";
import { type DoneRun, type Pause, RunRecords } from "../../../layers/schedule/run-records.ts";
import type { Job } from "../../scheduler/job.ts";
import { formatAge, formatDuration } from "../../terminal/numbers.ts";
import { timetableText } from "./timetable-text.ts";

export interface JobStatus {
  readonly schedule: string;
  readonly when: string;
  /** Times are ISO 8601. */
  readonly nextDue: string | undefined;
  readonly last: DoneRun | undefined;
  /** The newest run that was asked for. */
  readonly lastExtra: DoneRun | undefined;
  readonly paused: Pause | undefined;
  /** Who holds its lease: who runs it, or died of it a moment ago. */
  readonly holder: { readonly owner: string; readonly renewedAt: string } | undefined;
}

export async function jobStatus(
  store: ObjectStore,
  leases: Leases,
  { name, schedule }: Job,
  now: number,
): Promise<JobStatus> {
  const records = new RunRecords(store, name);
  const { cron } = schedule;
  const due = cron === undefined ? undefined : nextDue({ ...schedule, cron }, now);
  const holding = await leases.holding(name);
  return {
    schedule: name,
    when: timetableText(schedule),
    nextDue: due === undefined ? undefined : new Date(due).toISOString(),
    last: await records.newestDone(),
    lastExtra: await records.newestExtra(),
    paused: await records.readPause(),
    holder: holding && { owner: holding.owner, renewedAt: holding.renewedAt },
  };
}

/** Schedule, when, next, last, state. */
export function statusRow(status: JobStatus, now: number): string[] {
  const { schedule, when, nextDue: next, paused } = status;
  const due =
    paused !== undefined
      ? "when resumed"
      : next === undefined
        ? ""
        : `in ${formatDuration(Date.parse(next) - now)}`;
  return [schedule, when, due, lastText(status, now), stateText(status, now)];
}

function lastText({ last, lastExtra }: JobStatus, now: number): string {
  const [newest] = [last, lastExtra]
    .flatMap((run) => run ?? [])
    .sort((a, b) => Date.parse(b.endedAt) - Date.parse(a.endedAt));
  if (newest === undefined) return "never";
  const { status, endedAt, startedAt, attempts, error } = newest;
  const tries = attempts > 1 ? `, ${attempts} attempts` : "";
  const took = formatDuration(Date.parse(endedAt) - Date.parse(startedAt));
  const why = error === undefined ? "" : `: ${error.code ?? error.message}`;
  const asked = newest === lastExtra ? ", asked for" : "";
  return `${status}${why} ${formatAge(now - Date.parse(endedAt))}, took ${took}${tries}${asked}`;
}

function stateText({ paused, holder }: JobStatus, now: number): string {
  const held = holder && `runs in ${holder.owner}, seen ${formatAge(now - Date.parse(holder.renewedAt))}`;
  if (paused === undefined) return held ?? "waits";
  return [`paused by ${paused.by}`, held].filter((text) => text !== undefined).join("; ");
}
