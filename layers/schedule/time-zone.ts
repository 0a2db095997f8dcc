/** How the clocks of a time zone stand to UTC. */

/** A time in which they stand still to each other: local time = UTC + offset. Milliseconds. */
export interface Segment {
  /** First instant of it; -Infinity where it began before what was asked. */
  readonly from: number;
  /** First instant after it; Infinity where it goes on. */
  readonly to: number;
  readonly offset: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const part = "numeric";
  const format = new Intl.DateTimeFormat("en-US-u-ca-gregory-nu-latn", {
    timeZone: zone,
    hourCycle: "h23",
    year: part,
    month: part,
    day: part,
    hour: part,
    minute: part,
    second: part,
  });
  formats.set(zone, format);
  return format;
}

/** Whether the platform knows a zone of this name. */
export function isTimeZone(zone: string): boolean {
  try {
    return formatOf(zone) !== undefined;
  } catch {
    return false;
  }
}

/** What clocks in the zone show, as if they showed UTC. `instant` in whole seconds' milliseconds. */
export function localTime(zone: string, instant: number): number {
  if (zone === "UTC") return instant;
  const parts: Record<string, number> = {};
  for (const { type, value } of formatOf(zone).formatToParts(instant)) parts[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** No two changes of a zone's clocks are closer than this. */
const STEP = 6 * 3_600_000;

/** The segments that cover a range of instants, in order. */
export function segments(zone: string, from: number, to: number): Segment[] {
  const found: { from: number; to: number; offset: number }[] = [];
  const offsetAt = (instant: number) => localTime(zone, instant) - instant;
  let at = from;
  let current = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY, offset: offsetAt(at) };
  while (at < to) {
    const next = Math.min(to, at + STEP);
    const offset = offsetAt(next);
    if (offset !== current.offset) {
      const change = firstWith(at, next, (instant) => offsetAt(instant) === offset);
      found.push({ ...current, to: change });
      current = { from: change, to: Number.POSITIVE_INFINITY, offset };
    }
    at = next;
  }
  return [...found, current];
}

/** The first whole second after `low`, up to `high`, from which on the condition holds. */
function firstWith(low: number, high: number, holds: (instant: number) => boolean): number {
  let [before, after] = [low / 1000, high / 1000];
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (holds(middle * 1000)) after = middle;
    else before = middle;
  }
  return after * 1000;
}
