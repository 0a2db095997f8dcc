import fc from "fast-check";
import { expect, it } from "vitest";
import { LayeredMap, MapChanges } from "../../../lakehouse/delta/layered-map.ts";

const change = fc.record({ key: fc.nat(12).map(String), value: fc.option(fc.nat(3), { nil: undefined }) });

it("layers read like one map, and older ones stay as they were", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ changes: fc.array(change, { maxLength: 6 }), walks: fc.boolean() }), {
        maxLength: 20,
      }),
      (rounds) => {
        let map = LayeredMap.empty<number>();
        const plain = new Map<string, number>();
        const held: [LayeredMap<number>, [string, number][]][] = [];
        for (const { changes, walks } of rounds) {
          const next = new MapChanges(map);
          for (const { key, value } of changes) {
            if (value === undefined) {
              next.delete(key);
              plain.delete(key);
            } else {
              next.set(key, value);
              plain.set(key, value);
            }
            expect(next.get(key)).toBe(plain.get(key));
          }
          map = next.finish();
          if (walks) expect(new Map(map.entries())).toEqual(plain);
          held.push([map, [...plain].sort()]);
        }
        for (const [layered, entries] of held) {
          expect(layered.size).toBe(entries.length);
          for (const [key, value] of entries)
            expect([layered.get(key), layered.has(key)]).toEqual([value, true]);
          expect([...layered].sort()).toEqual(entries);
          expect([...layered.keys()].sort()).toEqual(entries.map(([key]) => key));
        }
      },
    ),
  );
});

it("is equal where the entries are", () => {
  const of = (...entries: [string, number][]) =>
    LayeredMap.empty<number>().with(new Map(entries), entries.length);
  const layered = of(["a", 1], ["b", 1], ["c", 3]).with(new Map([["b", 2]]), 3);
  expect(layered).toEqual(of(["c", 3], ["b", 2], ["a", 1]));
  expect(layered).not.toEqual(of(["c", 3], ["b", 1], ["a", 1]));
  expect(layered).not.toEqual(of(["c", 3], ["b", 2]));
});
