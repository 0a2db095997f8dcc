import fc from "fast-check";
import { TerminalError } from "../../lakehouse/errors.ts";

/** Integers from `start` up to, not including, `end`. */
export function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, i) => start + i);
}

/** Where rows may begin: near the bounds of containers and buckets, and anywhere. */
const starts = fc.oneof(
  fc.nat(200_000),
  fc.constantFrom(65_530, 2 ** 16, 2 ** 32 - 5, 2 ** 32, 2 ** 40, 2 ** 52),
  fc.maxSafeNat().map((row) => Math.min(row, 2 ** 53 - 400_000)),
);

/** Rows that are few and far, many and near, in runs, or at a distance each; in any order. */
export const patterns: fc.Arbitrary<number[]> = fc.oneof(
  fc.array(fc.oneof(fc.nat(100_000), starts), { maxLength: 50 }),
  fc.tuple(starts, fc.nat(9000)).map(([start, length]) => range(start, start + length)),
  fc
    .tuple(starts, fc.integer({ min: 3900, max: 4300 }), fc.integer({ min: 2, max: 40 }))
    .map(([start, length, step]) => range(0, length).map((i) => start + i * step)),
  fc
    .array(fc.tuple(fc.nat(200_000), fc.nat(40)), { maxLength: 60 })
    .map((runs) => runs.flatMap(([start, length]) => range(start, start + length))),
);

/** Whether reading either succeeds or is refused as damaged. */
export function isReadOrRefused(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    return error instanceof TerminalError && error.code === "DELTA_BAD_DELETION_VECTOR";
  }
}
