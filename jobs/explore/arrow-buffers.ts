/** What arrays of Arrow are made of. */
import { type Data, type DataType, makeData } from "apache-arrow";

/** Whether a value is not NULL. */
export const isThere = (value: unknown): boolean => value !== null && value !== undefined;

/** Bits, the lowest of each byte first. */
export function bits(isSet: (index: number) => boolean, length: number): Uint8Array {
  const bytes = new Uint8Array(((length + 511) >> 9) << 6);
  for (let i = 0; i < length; i++) if (isSet(i)) bytes[i >> 3] = (bytes[i >> 3] ?? 0) | (1 << (i & 7));
  return bytes;
}

/** What every array has: how many values, how many are NULL, and which are there. */
export function shape(values: readonly unknown[]) {
  const nullCount = values.reduce<number>((count, value) => count + (isThere(value) ? 0 : 1), 0);
  const nullBitmap = nullCount === 0 ? null : bits((i) => isThere(values[i]), values.length);
  return { length: values.length, nullCount, nullBitmap };
}

// The types of `makeData` are one overload for each type of Arrow; which one it is, is known only when it runs.
export const make = makeData as (props: object) => Data;

/** An array whose values take the same room each. */
export function fixed(type: DataType, values: readonly unknown[], data: ArrayBufferView): Data {
  return make({ type, ...shape(values), data });
}

/** Where each of the parts begins, and the last ends. */
export function offsets(parts: readonly { readonly length: number }[]): Int32Array {
  const places = new Int32Array(parts.length + 1);
  for (const [i, part] of parts.entries()) places[i + 1] = (places[i] ?? 0) + part.length;
  return places;
}
