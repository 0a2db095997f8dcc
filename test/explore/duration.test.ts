import { expect, test } from "vitest";
import { parseDuration } from "../../jobs/explore/duration.ts";

test.each([
  ["500ms", 500],
  ["30s", 30_000],
  ["1.5 m", 90_000],
  ["2h", 7_200_000],
  ["0s", undefined],
  ["30", undefined],
  ["-1s", undefined],
  ["9999h", undefined],
  ["1d", undefined],
])("%s", (text, millis) => expect(parseDuration(text)).toBe(millis));
