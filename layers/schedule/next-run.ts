/** What a job has to run next: a pure function of its timetable, its records and the time. */
import { createHash } from "node:crypto";
import type { Schedule } from "../definition/schedule.ts";
import { countDue, lastDue, nextDue, type Timetable } from "./due-times.ts";

/** What is known of a job. Milliseconds since the epoch. */
export interface JobState {
  /** Since when its timetable has been known. */
  readonly since: number;
  /** Its newest run that came to its end. */
  readonly settled: number | undefined;
  /** The oldest run after it that was begun and did not come to its end, or that somebody stands ready for. */
  readonly begun: number | undefined;
}

/** A run that is due; `at` is when it starts: its jitter after `due`. */
export interface NextRun {
  readonly due: number;
  readonly at: number;
  /** Due times that are passed over with it. */
  readonly missed: number;
}

/** Missed due times are counted up to this; more are as many. */
const MOST_COUNTED = 1_000;

/**
 * The run that is due, or the next one that will be; undefined where none ever is. With `skip`, a due time counts as
 * missed `grace` milliseconds after it, if nobody has begun it: another process may be about to take it over.
 */
export function nextRun(
  job: string,
  schedule: Schedule & Timetable,
  { since, settled, begun }: JobState,
  now: number,
  grace: number,
): NextRun | undefined {
  const after = Math.max(since, settled ?? Number.NEGATIVE_INFINITY);
  const startOf = (due: number) => due + jitter(job, schedule, due);
  const due = dueNow(schedule, after, begun, now, grace) ?? nextDue(schedule, Math.max(after, now));
  if (due === undefined) return undefined;
  return { due, at: startOf(due), missed: countDue(schedule, after, due, MOST_COUNTED) };
}

function dueNow(
  schedule: Schedule & Timetable,
  after: number,
  begun: number | undefined,
  now: number,
  grace: number,
): number | undefined {
  const { missed = "latest" } = schedule;
  if (missed === "all") return within(nextDue(schedule, after), now);
  const last = lastDue(schedule, after, now);
  if (missed === "latest") return last;
  if (begun !== undefined && begun > after) return begun;
  return last !== undefined && now - last <= grace + (schedule.jitterSeconds ?? 0) * 1000 ? last : undefined;
}

const within = (due: number | undefined, now: number) => (due !== undefined && due <= now ? due : undefined);

/**
 * Milliseconds, less than there are up to the next due time. The same for every process, so that the first of several
 * does not take the least of several delays.
 */
function jitter(job: string, schedule: Schedule & Timetable, due: number): number {
  const { jitterSeconds = 0 } = schedule;
  if (jitterSeconds === 0) return 0;
  const share = createHash("sha256").update(`${job} ${due}`).digest().readUInt32BE(0) / 2 ** 32;
  const most = Math.min(jitterSeconds * 1000, (nextDue(schedule, due) ?? Number.POSITIVE_INFINITY) - due);
  return Math.floor(share * most);
}
