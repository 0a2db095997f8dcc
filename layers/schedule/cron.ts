/** A cron expression, as node-cron reads it. */
import { createTask, parse } from "node-cron";
import { messageOf, TerminalError } from "../../lakehouse/errors.ts";

/** What an expression says: at which times of a day, on which days. */
export interface Cron {
  /** Seconds since midnight, ascending. */
  readonly times: readonly number[];
  /** Whether it names every hour: then it is an interval rather than a time of day. */
  readonly everyHour: boolean;
  /** Whether a day of the calendar is one of its days. `month` is 1 to 12. */
  readonly isDay: (year: number, month: number, day: number) => boolean;
}

const read = new Map<string, Cron>();

/**
 * Reads an expression of 5 fields, 6 (seconds first), or a name such as `@daily`; with ranges, steps, names, `L`, `W`
 * and `#`. A day has to fit both of its fields, day of month and day of week. Throws `CRON_INVALID`.
 */
export function parseCron(expression: string): Cron {
  const known = read.get(expression);
  if (known !== undefined) return known;
  const fields = fieldsOf(expression);
  const ascending = (numbers: readonly number[]) => [...new Set(numbers)].sort((a, b) => a - b);
  const [hours, minutes, seconds] = [fields.hour, fields.minute, fields.second].map(ascending);
  const times = (hours ?? []).flatMap((hour) =>
    (minutes ?? []).flatMap((minute) => (seconds ?? []).map((second) => hour * 3600 + minute * 60 + second)),
  );
  // The task is only asked which days fit. Destroyed, it is in no registry.
  const task = createTask(expression, () => {}, { timezone: "UTC" });
  void task.destroy();
  const first = (times[0] ?? 0) * 1000;
  const cron: Cron = {
    times,
    everyHour: hours?.length === 24,
    isDay: (year, month, day) =>
      fields.month.includes(month) && task.match(new Date(Date.UTC(year, month - 1, day) + first)),
  };
  read.set(expression, cron);
  return cron;
}

function fieldsOf(expression: string): ReturnType<typeof parse> {
  try {
    return parse(expression);
  } catch (cause) {
    throw new TerminalError(`this is no cron expression: ${messageOf(cause)}`, {
      code: "CRON_INVALID",
      value: expression,
      allowed: "minute hour day-of-month month day-of-week, with seconds in front if need be: */5 * * * *",
      cause,
    });
  }
}
