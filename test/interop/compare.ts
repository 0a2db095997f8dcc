import { expect } from "vitest";
import { type CanonicalRow, canonicalRows } from "./canonical-rows.ts";
import type { Engine } from "./engine.ts";
import type { ForeignTable } from "./foreign-table.ts";

/** Expects that two engines see the same rows in the versions of a table, and the same changes where it says so. */
export async function expectSameReading(
  path: string,
  { from = 0, changesFrom }: Pick<ForeignTable, "from" | "changesFrom">,
  reader: Engine,
  reference: Engine,
): Promise<void> {
  const blur = (rows: readonly CanonicalRow[]) => blurred(blurred(rows, reader), reference);
  const newest = await reference.newest(path);
  expect(await reader.newest(path)).toBe(newest);
  const most = Math.min(
    ...[reader, reference].map(({ mostVersions = Number.POSITIVE_INFINITY }) => mostVersions),
  );
  for (const version of spread(from, newest, most)) {
    const [read, expected] = [await reader.read(path, version), await reference.read(path, version)];
    expect(blur(read), `version ${version}`).toEqual(blur(expected));
  }
  if (changesFrom === undefined) return;
  const changes = await reference.changes(path, changesFrom, newest);
  expect(blur(await reader.changes(path, changesFrom, newest)), "changes").toEqual(blur(changes));
}

/** The first version and the last, and some between, as far from each other. */
function spread(first: number, last: number, most: number): number[] {
  const count = Math.min(most, last - first + 1);
  if (count === 1) return [last];
  return Array.from({ length: count }, (_, i) => first + Math.round((i * (last - first)) / (count - 1)));
}

function blurred(rows: readonly CanonicalRow[], { blur }: Engine): readonly CanonicalRow[] {
  return blur === undefined ? rows : canonicalRows(rows.map(blur));
}
