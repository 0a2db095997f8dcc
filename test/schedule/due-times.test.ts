/** Due times against a reference that walks through every second and looks at the clocks on the wall. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCron } from "../../layers/schedule/cron.ts";
import { countDue, dueTimes, lastDue, nextDue } from "../../layers/schedule/due-times.ts";
import { localTime } from "../../layers/schedule/time-zone.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Zones, and days around changes of their clocks. */
const CHANGES = [
  ["Europe/Berlin", "2026-03-29"],
  ["Europe/Berlin", "2026-10-25"],
  ["America/New_York", "2026-03-08"],
  ["America/New_York", "2026-11-01"],
  ["Australia/Lord_Howe", "2026-04-05"],
  ["Australia/Lord_Howe", "2026-10-04"],
  // At midnight.
  ["America/Sao_Paulo", "2018-11-04"],
  ["America/Sao_Paulo", "2018-02-18"],
  // A day that was none.
  ["Pacific/Apia", "2011-12-30"],
  ["Africa/Casablanca", "2026-02-15"],
  ["Asia/Kathmandu", "2026-05-01"],
  ["UTC", "2026-03-29"],
] as const;

interface Field {
  readonly text: string;
  readonly fits: (value: number) => boolean;
}

const any: Field = { text: "*", fits: () => true };
const list = (values: readonly number[]): Field => ({
  text: values.join(","),
  fits: (value) => values.includes(value),
});
const numbers = (min: number, max: number): fc.Arbitrary<Field> =>
  fc.oneof(
    fc.constant(any),
    fc.uniqueArray(fc.integer({ min, max }), { minLength: 1, maxLength: 4 }).map(list),
    fc.tuple(fc.integer({ min, max }), fc.integer({ min, max })).map(([a, b]): Field => {
      const [low, high] = [Math.min(a, b), Math.max(a, b)];
      return { text: `${low}-${high}`, fits: (value) => value >= low && value <= high };
    }),
    fc
      .integer({ min: 2, max: 30 })
      .map((step): Field => ({ text: `*/${step}`, fits: (value) => (value - min) % step === 0 })),
  );

const cronFields = fc.record({
  second: fc.oneof(
    { weight: 3, arbitrary: fc.constant(list([0])) },
    fc.uniqueArray(fc.nat({ max: 59 }), { minLength: 1, maxLength: 3 }).map(list),
  ),
  minute: numbers(0, 59),
  hour: fc.oneof(numbers(0, 23), numbers(0, 3)),
});

const shown = new Map<string, number>();

/** As `localTime`, which is slow, for the same minutes over and over. */
function clockOf(zone: string, instant: number): number {
  const key = `${zone} ${instant}`;
  const local = shown.get(key) ?? localTime(zone, instant);
  shown.set(key, local);
  return local;
}

/** The rules, second by second. */
function reference(
  zone: string,
  fields: { readonly second: Field; readonly minute: Field; readonly hour: Field },
  from: number,
  to: number,
): number[] {
  const { second, minute, hour } = fields;
  const everyHour = Array.from({ length: 24 }, (_, h) => h).every(hour.fits);
  const fits = (local: number) => {
    const time = new Date(local);
    return (
      second.fits(time.getUTCSeconds()) && minute.fits(time.getUTCMinutes()) && hour.fits(time.getUTCHours())
    );
  };
  const due: number[] = [];
  let furthest = clockOf(zone, from - 1000);
  // Zones change their clocks at whole minutes, and only fitting minutes have to be looked at closely.
  for (let at = from; at < to; at += MINUTE) {
    const local = clockOf(zone, at);
    // Times that the clocks passed over.
    let skipped = false;
    for (let gone = furthest + 1000; gone < local && local - furthest > 1000; gone += 1000) {
      if (second.fits(new Date(gone).getUTCSeconds()) && fits(gone)) skipped = true;
    }
    for (let s = 0; s < 60; s++) {
      const time = local + s * 1000;
      const again = time <= furthest;
      const isDue = second.fits(s) && fits(time) && (everyHour || !again);
      if (isDue || (s === 0 && skipped)) due.push(at + s * 1000);
    }
    furthest = Math.max(furthest, local + 59_000);
  }
  return due;
}

describe("due times", () => {
  it("are what clocks on the wall show, over changes of clocks, once each", () => {
    const plan = fc.record({ change: fc.constantFrom(...CHANGES), fields: cronFields });
    let gaps = 0;
    fc.assert(
      fc.property(plan, ({ change: [timeZone, date], fields }) => {
        const cron = `${fields.second.text} ${fields.minute.text} ${fields.hour.text} * * *`;
        const middle = Date.parse(`${date}T00:00:00Z`);
        const [from, to] = [middle - DAY, middle + 2 * DAY];
        const expected = reference(timeZone, fields, from, to);
        const timetable = { cron, timeZone };
        const due = [...dueTimes(timetable, from - 1, to - 1)];
        expect(due.map((t) => new Date(t).toISOString())).toEqual(
          expected.map((t) => new Date(t).toISOString()),
        );
        gaps += due.length === 0 ? 0 : 1;
        const [first] = expected;
        if (first !== undefined) expect(nextDue(timetable, from - 1)).toBe(first);
        expect(lastDue(timetable, from - 1, to - 1)).toBe(expected.at(-1));
        expect(countDue(timetable, from - 1, to, 1e6)).toBe(expected.length);
      }),
      { numRuns: Number(process.env.INGOT_RUNS ?? 150) },
    );
    expect(gaps).toBeGreaterThan(50);
  });

  const between = (cron: string, timeZone: string, from: string, to: string) =>
    [...dueTimes({ cron, timeZone }, Date.parse(from) - 1, Date.parse(to))].map((t) =>
      new Date(t).toISOString().replace(".000", ""),
    );

  it("in a gap come at its end, and one time only", () => {
    const berlin = (cron: string) =>
      between(cron, "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z");
    expect(berlin("30 2 * * *")).toEqual(["2026-03-29T01:00:00Z"]);
    expect(berlin("0,20,40 2,3 * * *")).toEqual([
      "2026-03-29T01:00:00Z",
      "2026-03-29T01:20:00Z",
      "2026-03-29T01:40:00Z",
    ]);
    expect(berlin("*/30 * * * *")).toEqual([
      "2026-03-29T00:00:00Z",
      "2026-03-29T00:30:00Z",
      "2026-03-29T01:00:00Z",
      "2026-03-29T01:30:00Z",
      "2026-03-29T02:00:00Z",
    ]);
    // Half an hour of Lord Howe: 02:00 to 02:30.
    expect(
      between("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-04T12:00:00Z"),
    ).toEqual(["2026-10-03T15:30:00Z"]);
    // A midnight that does not exist.
    expect(between("@daily", "America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-05T12:00:00Z")).toEqual([
      "2018-11-04T03:00:00Z",
      "2018-11-05T02:00:00Z",
    ]);
  });

  it("that occur twice count once, unless every hour is named", () => {
    const berlin = (cron: string) =>
      between(cron, "Europe/Berlin", "2026-10-25T00:00:00Z", "2026-10-25T01:59:59Z");
    expect(berlin("30 2 * * *")).toEqual(["2026-10-25T00:30:00Z"]);
    expect(berlin("0,30 2-4 * * *")).toEqual(["2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z"]);
    expect(berlin("30 * * * *")).toEqual(["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]);
  });

  it("fall on the days that L, W, # and both fields of days name", () => {
    const days = (cron: string, from = "2026-01-01", to = "2026-04-30") =>
      between(cron, "UTC", `${from}T00:00:00Z`, `${to}T23:59:59Z`).map((t) => t.slice(5, 10));
    expect(days("0 0 L * *")).toEqual(["01-31", "02-28", "03-31", "04-30"]);
    expect(days("0 0 L-2 * *")).toEqual(["01-29", "02-26", "03-29", "04-28"]);
    expect(days("0 0 LW * *")).toEqual(["01-30", "02-27", "03-31", "04-30"]);
    expect(days("0 0 1W * *")).toEqual(["01-01", "02-02", "03-02", "04-01"]);
    expect(days("0 0 * * 5L")).toEqual(["01-30", "02-27", "03-27", "04-24"]);
    expect(days("0 0 * * mon#2")).toEqual(["01-12", "02-09", "03-09", "04-13"]);
    expect(days("0 0 13 * fri")).toEqual(["02-13", "03-13"]);
    expect(days("0 0 1-7/3 feb *")).toEqual(["02-01", "02-04", "02-07"]);
    expect(nextDue({ cron: "0 0 29 2 1" }, Date.UTC(2026, 0, 1))).toBe(Date.UTC(2044, 1, 29));
    expect(nextDue({ cron: "0 0 L-30 2 *" }, Date.UTC(2026, 0, 1))).toBeUndefined();
  });

  it("of a year of seconds are not all looked at to find the last", () => {
    const until = Date.UTC(2026, 5, 1, 12, 0, 0, 500);
    expect(lastDue({ cron: "* * * * * *", timeZone: "Europe/Berlin" }, 0, until)).toBe(until - 500);
    expect(lastDue({ cron: "0 0 1 1 *" }, Date.UTC(2026, 0, 1), until)).toBeUndefined();
    expect(countDue({ cron: "* * * * * *" }, 0, until, 1_000)).toBe(1_000);
  });
});

it.each(["", "* * *", "60 * * * *", "*/0 * * * *", "5/15 * * * *", "0 0 30 2 *", "@reboot", "a b c d e"])(
  "%j is no cron expression",
  (expression) => {
    expect(() => parseCron(expression)).toThrow(
      expect.objectContaining({ code: "CRON_INVALID", value: expression }),
    );
  },
);
