import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chartValue, renderBars, renderLine, sparkline } from "../../jobs/terminal/chart.ts";
import { widthOf } from "../../jobs/terminal/text.ts";

const width = 40;
const color = false;
const items = (...values: (number | bigint | null)[]) =>
  values.map((value, i) => ({ label: `d${i}`, value }));

describe("bars", () => {
  test("are proportional, in eighths", () => {
    const lines = renderBars(items(8, 4, 1), { width: 17, color }).split("\n");
    expect(lines).toEqual(["d0  ██████████  8", "d1  █████       4", "d2  █▎          1"]);
  });

  test("negative values grow to the left of a common zero", () => {
    const lines = renderBars(items(3, -3, 0), { width: 18, color }).split("\n");
    expect(lines[0]?.indexOf("█")).toBe((lines[1]?.lastIndexOf("█") ?? 0) + 1);
  });

  test("what is small is still seen; what is missing is not drawn", () => {
    expect(renderBars(items(1_000_000, 1), { width, color }).split("\n")[1]).toContain("▏");
    expect(renderBars(items(null, 5), { width, color }).split("\n")[0]).toMatch(/^d0 +–$/);
  });

  test("nothing to draw", () => {
    expect(renderBars([], { width, color })).toBe("(no data)");
    expect(renderBars(items(0, null), { width, color })).not.toMatch(/[█▏]/);
  });
});

describe("line", () => {
  test("labels its extremes and its ends", () => {
    const text = renderLine(items(1_200_000, 3_400_000, 2_000_000), { width, height: 8, color });
    const lines = text.split("\n");
    expect(lines).toHaveLength(8);
    expect(lines[0]).toMatch(/^3\.4M ┤/);
    expect(lines[5]).toMatch(/^1\.2M ┤/);
    expect(lines[7]).toMatch(/^ +d0 +d2$/);
  });

  test("close extremes get digits enough to differ", () => {
    const text = renderLine(items(1_204_000, 1_206_000), { width, height: 6, color });
    expect(text).toContain("1.21M ┤");
    expect(text).toContain(" 1.2M ┤");
  });

  test("empty, single, constant, with gaps", () => {
    expect(renderLine([], { width, height: 6, color })).toBe("(no data)");
    expect(renderLine(items(null, null), { width, height: 6, color })).toBe("(no data)");
    expect(renderLine(items(5), { width, height: 6, color })).toMatch(/5 ┤ +[\u2801-\u28ff]/);
    expect(renderLine(items(7, 7, 7), { width, height: 6, color })).toMatch(/7 ┤[\u2801-\u28ff]+/);
    expect(renderLine(items(-1, null, -5), { width, height: 6, color })).toContain("-5 ┤");
  });

  test("a long series keeps its spike", () => {
    const series = Array.from({ length: 200_000 }, (_, i) => ({ label: "", value: i === 77_777 ? 100 : 1 }));
    expect(renderLine(series, { width, height: 8, color }).split("\n")[0]).toMatch(/100 ┤ +[\u2801-\u28ff]/);
  });
});

test("sparkline", () => {
  expect(sparkline([1, 2, 3, 4, 5, 6, 7, 8])).toBe("▁▂▃▄▅▆▇█");
  expect(sparkline([-1, null, 1n])).toBe("▁ █");
  expect(sparkline([4, 4])).toBe("▄▄");
  expect(sparkline([])).toBe("");
});

test("values of a query", () => {
  expect(["12.5", 3n, 4, null, "", "x", Number.NaN, true].map(chartValue)).toEqual([
    12.5,
    3,
    4,
    ...Array(5).fill(null),
  ]);
});

test("no chart is wider than the terminal", () => {
  const item = fc.record({
    label: fc.string({ unit: "grapheme", maxLength: 30 }),
    value: fc.option(fc.oneof(fc.double(), fc.integer(), fc.bigInt())),
  });
  fc.assert(
    fc.property(fc.array(item, { maxLength: 30 }), fc.integer({ min: 1, max: 120 }), (input, wide) => {
      for (const text of [
        renderBars(input, { width: wide, color: true }),
        renderLine(input, { width: wide, height: 6, color: true }),
      ]) {
        for (const line of text.split("\n")) expect(widthOf(line)).toBeLessThanOrEqual(wide);
      }
    }),
    { numRuns: 300 },
  );
});
