import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createProgress } from "../../jobs/terminal/progress.ts";
import { liveLines, plainLine } from "../../jobs/terminal/progress-lines.ts";
import type { Task } from "../../jobs/terminal/progress-tasks.ts";
import { styleFor } from "../../jobs/terminal/style.ts";
import { terminalWidth } from "../../jobs/terminal/terminal-size.ts";
import { widthOf } from "../../jobs/terminal/text.ts";

/** A stream that remembers what was written, with a screen's size. */
class Screen extends PassThrough {
  readonly isTTY = true;
  readonly columns: number;
  readonly rows: number;
  readonly writes: string[] = [];

  constructor(rows = 24, columns = 100) {
    super();
    this.rows = rows;
    this.columns = columns;
    this.on("data", (chunk) => this.writes.push(stripVTControlCharacters(String(chunk))));
  }
}

const now = () => Date.now();

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "Date"], now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("live progress", () => {
  test("draws at most ten times a second, however many events come", () => {
    const stream = new Screen();
    const progress = createProgress({ stream, isTTY: true, now });
    for (let rows = 0; rows < 1000; rows += 1) {
      progress.onProgress({ task: "bronze.orders", state: "running", rows, totalRows: 1000 });
      vi.advanceTimersByTime(1);
    }
    expect(stream.writes.length).toBeGreaterThan(5);
    expect(stream.writes.length).toBeLessThanOrEqual(12);
    progress.finish();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("estimates by the part that is done where rows do not tell it", () => {
    const stream = new Screen();
    const progress = createProgress({ stream, isTTY: true, now });
    const chunk = (i: number) =>
      progress.onProgress({
        task: "backfill",
        state: "running",
        rows: 0,
        share: i / 4,
        note: `chunk ${i + 1} of 4`,
      });
    chunk(0);
    vi.advanceTimersByTime(5000);
    expect(stream.writes.at(-1)).not.toContain("left");
    chunk(1);
    vi.advanceTimersByTime(100);
    expect(stream.writes.at(-1)).toMatch(/25%.*5\.1 s, 15\.3 s left.*chunk 2 of 4/);
    progress.finish();
  });

  test("leaves the tasks in their order, and says what was stopped", () => {
    const stream = new Screen();
    const progress = createProgress({ stream, isTTY: true, now });
    progress.onProgress({ task: "bronze.a", state: "running" });
    progress.onProgress({ task: "bronze.b", state: "done", rows: 5, bytes: 1200, note: "v3" });
    progress.onProgress({ task: "bronze.c", state: "failed", note: "postgres://u:hunter2@h/d refused" });
    progress.onProgress({ task: "bronze.a", state: "running", rows: 12_345 });
    progress.finish();
    progress.finish();
    const last =
      stream.writes
        .filter((text) => text.includes("bronze"))
        .at(-1)
        ?.trim()
        .split("\n") ?? [];
    expect(last).toHaveLength(3);
    expect(last[0]).toMatch(/^– bronze\.a {2}12,345 rows.* stopped$/);
    expect(last[1]).toMatch(/^✓ bronze\.b {2} +5 rows {2}1\.2 kB {2}0 ms {2}v3$/);
    expect(last[2]).toMatch(/^✗ bronze\.c .*postgres:\/\/u:\*\*\*@h\/d refused$/);
  });

  test("stops its clock when nothing runs, starts again with the next task", () => {
    const progress = createProgress({ stream: new Screen(), isTTY: true, now });
    progress.onProgress({ task: "a", state: "done" });
    expect(vi.getTimerCount()).toBe(0);
    progress.onProgress({ task: "b", state: "running" });
    expect(vi.getTimerCount()).toBe(1);
    progress.finish();
  });

  test("more tasks than the screen has lines are all left behind, each once", () => {
    const stream = new Screen(6);
    const progress = createProgress({ stream, isTTY: true, now });
    for (let n = 10; n < 30; n += 1) {
      progress.onProgress({ task: `task.${n}`, state: "running" });
      vi.advanceTimersByTime(100);
      progress.onProgress({ task: `task.${n}`, state: "done", rows: n });
    }
    progress.finish();
    const kept = stream.writes.join("").match(/✓ task\.10 /g);
    expect(kept?.length).toBeGreaterThan(0);
    const longest = Math.max(...stream.writes.map((text) => text.split("\n").length));
    expect(longest).toBeLessThanOrEqual(7);
  });

  test("a terminal that does not know its size is one of 80 columns and 24 lines", () => {
    const stream = new Screen(0, 0);
    const progress = createProgress({ stream, isTTY: true, now });
    progress.onProgress({ task: "bronze.orders", state: "running", rows: 12 });
    expect(stream.writes.join("")).toContain("bronze.orders");
    const before = stream.writes.length;
    progress.finish();
    expect(stream.writes.slice(before).join("")).toMatch(/bronze\.orders.*12/);
    expect([
      terminalWidth({ columns: 0 }, 160),
      terminalWidth({}, 160),
      terminalWidth({ columns: 9 }),
    ]).toEqual([80, 160, 9]);
  });

  test("no line is wider than asked for", () => {
    const task: fc.Arbitrary<Task> = fc.record(
      {
        name: fc.string({ unit: "grapheme", maxLength: 40 }),
        state: fc.constantFrom("running" as const, "done" as const, "failed" as const, "skipped" as const),
        rows: fc.nat({ max: 1e12 }),
        totalRows: fc.nat(),
        bytes: fc.nat({ max: 1e15 }),
        note: fc.string({ unit: "binary", maxLength: 60 }),
        startedAt: fc.nat(),
      },
      { requiredKeys: ["name", "state", "startedAt"] },
    );
    fc.assert(
      fc.property(
        fc.array(task, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 4, max: 140 }),
        (tasks, width) => {
          for (const line of liveLines(tasks, 1e10, width, styleFor(true))) {
            expect(widthOf(line)).toBeLessThanOrEqual(width);
          }
        },
      ),
    );
  });
});

describe("progress of a log", () => {
  test("a line when a task ends, one each ten seconds while it runs, no escape codes", () => {
    const stream = new PassThrough();
    const progress = createProgress({ stream, isTTY: false, now });
    progress.onProgress({ task: "bronze.orders", state: "running", rows: 0, totalRows: 10_000 });
    vi.advanceTimersByTime(9_000);
    expect(stream.read()).toBeNull();
    progress.onProgress({ task: "bronze.orders", state: "running", rows: 5_000 });
    vi.advanceTimersByTime(2_000);
    progress.onProgress({ task: "bronze.orders", state: "done", rows: 10_000, bytes: 2_000_000, note: "v1" });
    progress.onProgress({ task: "silver.orders", state: "skipped", note: "no change" });
    progress.finish();
    expect(String(stream.read())).toBe(
      "running bronze.orders: 5,000 rows (50%), 500 rows/s, 10.0 s, 10.0 s left\n" +
        "done bronze.orders: 10,000 rows, 909 rows/s, 2.0 MB, 11.0 s, v1\n" +
        "skipped silver.orders: no change\n",
    );
    expect(vi.getTimerCount()).toBe(0);
  });

  test("a task without facts is a line too", () => {
    expect(plainLine({ name: "x", state: "skipped", startedAt: 0, endedAt: 0 }, 5)).toBe("skipped x");
  });
});
