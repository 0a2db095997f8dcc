/**
 * When a schedule is due, as a pure function of its expression, its time zone and a range of time. node-cron reads the
 * expression; where clocks are changed it passes over times, and this does not:
 *
 * - a time that does not exist is due at the first moment after the gap, once;
 * - a time that occurs twice is due at its first occurrence;
 * - an expression that names every hour, as a step of minutes does, is due in both of two hours of one name: it is an
 *   interval, and a pause of an hour would be none that anybody asked for.
 */
import { type Cron, parseCron } from "./cron.ts";
import { type Segment, segments } from "./time-zone.ts";

/** When something is due. */
export interface Timetable {
  /** 5 fields, or 6 with seconds first. */
  readonly cron: string;
  /** IANA name; UTC by default. */
  readonly timeZone?: string | undefined;
}

const DAY = 86_400_000;
/** No clock is further from UTC. */
const FURTHEST = 15 * 3_600_000;
/** Days without a due time after which none is looked for: the 29th of February on a given weekday takes 40 years. */
const MOST_DAYS = 366 * 41;

/** Due times after one instant up to and with another, ascending. Milliseconds since the epoch. */
export function* dueTimes(timetable: Timetable, after: number, until: number): Generator<number> {
  // What is due on a day lies within it or, behind a gap, at the beginning of the next.
  let last = after;
  let empty = 0;
  for (let day = dayOf(after) - 2 * DAY; day <= until + FURTHEST && empty < MOST_DAYS; day += DAY) {
    const due = dueOn(timetable, day);
    empty = due.length === 0 ? empty + 1 : 0;
    for (const time of due) {
      if (time > until) return;
      if (time > last) yield time;
      last = Math.max(last, time);
    }
  }
}

/** The first due time after an instant, if there is one. */
export function nextDue(timetable: Timetable, after: number): number | undefined {
  for (const time of dueTimes(timetable, after, Number.POSITIVE_INFINITY)) return time;
  return undefined;
}

/** The last due time after one instant up to and with another, if there is one. */
export function lastDue(timetable: Timetable, after: number, until: number): number | undefined {
  for (let day = dayOf(until) + DAY, days = 0; days < MOST_DAYS; day -= DAY, days++) {
    const found = dueOn(timetable, day).findLast((time) => time <= until);
    if (found !== undefined) return found > after ? found : undefined;
    if (day + DAY + FURTHEST < after) return undefined;
  }
  return undefined;
}

/** How many are due after one instant and before another; counted up to `most`. */
export function countDue(timetable: Timetable, after: number, before: number, most: number): number {
  let count = 0;
  for (const _ of dueTimes(timetable, after, before - 1)) if (++count === most) break;
  return count;
}

const dayOf = (instant: number): number => Math.floor(instant / DAY) * DAY;

/** Days that were asked for last: a schedule of seconds asks for the same ones all day. */
const known = new Map<string, readonly number[]>();
const MOST_KNOWN = 16;

/** Due times of a day of the calendar, which is named by the instant at which it begins in UTC. Ascending. */
function dueOn(timetable: Timetable, day: number): readonly number[] {
  const key = `${timetable.cron} ${timetable.timeZone} ${day}`;
  const found = known.get(key) ?? computeDue(timetable, day);
  if (found.length === 0) return found;
  known.delete(key);
  known.set(key, found);
  for (const oldest of known.keys()) {
    if (known.size <= MOST_KNOWN) break;
    known.delete(oldest);
  }
  return found;
}

function computeDue({ cron, timeZone = "UTC" }: Timetable, day: number): number[] {
  const parsed = parseCron(cron);
  const date = new Date(day);
  if (!parsed.isDay(date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate())) return [];
  if (timeZone === "UTC") return parsed.times.map((seconds) => day + seconds * 1000);
  const clocks = segments(timeZone, day - FURTHEST, day + DAY + FURTHEST);
  const [only] = clocks;
  if (clocks.length === 1 && only !== undefined) {
    return parsed.times.map((seconds) => day + seconds * 1000 - only.offset);
  }
  const due = parsed.times.flatMap((seconds) => instantsOf(clocks, day + seconds * 1000, parsed));
  return [...new Set(due)].sort((a, b) => a - b);
}

/** When clocks that were changed show a time: at one instant, at two, or instead of never once they are past it. */
function instantsOf(clocks: readonly Segment[], local: number, { everyHour }: Cron): number[] {
  const shown = clocks
    .map(({ from, to, offset }) => ({ from, to, instant: local - offset }))
    .filter(({ from, to, instant }) => instant >= from && instant < to)
    .map(({ instant }) => instant);
  if (shown.length > 0) return everyHour ? shown : shown.slice(0, 1);
  const behind = clocks.find(({ from, offset }) => Number.isFinite(from) && local < from + offset);
  return behind === undefined ? [] : [behind.from];
}
