import { expect } from "vitest";
import { type CanonicalRow, canonicalRows } from "./canonical-rows.ts";
import type { Engine } from "./engine.ts";
import type { ForeignTable } from "./foreign-table.ts";

/** Expects that two engines see the same rows in every version of a table, and the same changes where it says so. */
export async function expectSameReading(
  path: string,
  { from = 0, changesFrom }: Pick<ForeignTable, "from" | "changesFrom">,
  reader: Engine,
  reference: Engine,
): Promise<void> {
  const blur = (rows: readonly CanonicalRow[]) => blurred(blurred(rows, reader), reference);
  const expected = await reference.versions(path, from);
  const read = await reader.versions(path, from);
  expect(Object.keys(read)).toEqual(Object.keys(expected));
  for (const [version, rows] of Object.entries(expected)) {
    expect(blur(read[version] ?? []), `version ${version}`).toEqual(blur(rows));
  }
  if (changesFrom === undefined) return;
  const newest = Math.max(...Object.keys(expected).map(Number));
  const changes = await reference.changes(path, changesFrom, newest);
  expect(blur(await reader.changes(path, changesFrom, newest)), "changes").toEqual(blur(changes));
}

function blurred(rows: readonly CanonicalRow[], { blur }: Engine): readonly CanonicalRow[] {
  return blur === undefined ? rows : canonicalRows(rows.map(blur));
}
