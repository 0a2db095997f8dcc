/** Rows of any engine in one form, so that they can be compared; `scripts/interop/canonical.py` gives the same. */

/** A row whose values are canonical JSON; keys in alphabetical order at every depth. */
export type CanonicalRow = Readonly<Record<string, unknown>>;

/** Rows of Ingot (plain values of `lakehouse/duckdb/values.ts`) or of another engine, in canonical form and order. */
export function canonicalRows(rows: readonly Readonly<Record<string, unknown>>[]): CanonicalRow[] {
  return rows
    .map((row) => ({ row: canonicalObject(row), text: JSON.stringify(canonicalObject(row)) }))
    .sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0))
    .map(({ row }) => row);
}

function canonicalValue(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number") return canonicalNumber(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (Array.isArray(value)) return value.map(canonicalValue);
  return typeof value === "object" && value !== null ? canonicalObject(value) : value;
}

function canonicalNumber(value: number): number | string {
  if (Object.is(value, -0)) return "-0";
  return Number.isFinite(value) ? value : String(value);
}

function canonicalObject(value: object): CanonicalRow {
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, item]) => [name, canonicalValue(item)]));
}
