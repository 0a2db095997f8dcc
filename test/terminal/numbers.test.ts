import { describe, expect, test } from "vitest";
import {
  compactCount,
  compactNumber,
  formatAge,
  formatBytes,
  formatDuration,
  formatRate,
  groupDigits,
} from "../../jobs/terminal/numbers.ts";

describe("numbers", () => {
  test.each([
    [0, "0"],
    [12_345, "12,345"],
    [999_999, "999,999"],
    [1_234_567, "1.2M"],
    [999_999_999, "1B"],
    [-2_500_000n, "-2.5M"],
    [12.345, "12.35"],
    [0.001234, "0.00123"],
    [Number.NaN, "–"],
  ])("count %s is %s", (value, text) => expect(compactCount(value)).toBe(text));

  test.each([
    [950, "950"],
    [999.7, "1K"],
    [12_345, "12.3K"],
    [999_960, "1M"],
    [-1_500, "-1.5K"],
    [1e18, "1.0e+18"],
    [0.05, "0.05"],
  ])("axis number %s is %s", (value, text) => expect(compactNumber(value)).toBe(text));

  test("all digits of a bigint stay", () =>
    expect(groupDigits(9_007_199_254_740_993n)).toBe("9,007,199,254,740,993"));

  test.each([
    [0, "0 B"],
    [999, "999 B"],
    [1_234_567, "1.2 MB"],
    [999_999, "1.0 MB"],
    [5_000_000_000n, "5.0 GB"],
  ])("%s bytes are %s", (value, text) => expect(formatBytes(value)).toBe(text));

  test.each([
    [850, "850 ms"],
    [999.7, "1.0 s"],
    [4_200, "4.2 s"],
    [59_960, "1 m 00 s"],
    [65_000, "1 m 05 s"],
    [7_380_000, "2 h 03 m"],
    [273_600_000, "3 d 04 h"],
    [-5, "0 ms"],
  ])("%s ms are %s", (value, text) => expect(formatDuration(value)).toBe(text));

  test.each([
    [-300, "just now"],
    [3_400, "3 s ago"],
    [120_000, "2 m ago"],
    [7_200_000, "2 h ago"],
    [864_000_000, "10 d ago"],
  ])("%s ms before now is %s", (value, text) => expect(formatAge(value)).toBe(text));

  test("rates", () => {
    expect(formatRate(1_234_567)).toBe("1.2M rows/s");
    expect(formatRate(850.4)).toBe("850 rows/s");
    expect(formatRate(0.25, "journeys")).toBe("0.25 journeys/s");
  });
});
