import { expect, it } from "vitest";
import type { InteropBench } from "./bench.ts";
import { expectSameReading } from "./compare.ts";
import type { Engine } from "./engine.ts";
import { IngotWriter } from "./ingot-writer.ts";
import type { Turns } from "./turns.ts";

const row = (id: number) => `SELECT ${id}::BIGINT AS id, 'ingot' AS v, 'odd / %' AS p`;

/** Tests that Ingot and an engine write to one table in turns. */
export function testTurns({ duckdb, ingot, newPath }: InteropBench, engine: Engine, turns: Turns): void {
  it("a table of Ingot's: the engine appends, Ingot merges, it appends again", async () => {
    const path = newPath();
    const table = new IngotWriter(path, duckdb);
    await table.create(row(1), { partitionBy: ["p"], properties: { "delta.checkpointInterval": "2" } });
    await turns.append(path, 2);
    await table.merge({
      source: `${row(2)} UNION ALL ${row(3)}`,
      on: "target.id = source.id",
      matched: [{ update: "all" }],
      notMatched: [{ insert: "all" }],
    });
    await turns.append(path, 4);
    await turns.delete?.(path);
    await table.append(row(5));
    await expectSameReading(path, {}, engine, ingot);
    const ids = (await ingot.read(path)).map(({ id }) => id);
    expect(ids).toEqual(turns.delete ? ["2", "3", "4", "5"] : ["1", "2", "3", "4", "5"]);
  });

  const { create } = turns;
  if (create === undefined) return;
  it("a table of the engine: Ingot appends, deletes", async () => {
    const path = newPath();
    await create(path);
    const table = new IngotWriter(path, duckdb);
    await table.append(row(2));
    await turns.append(path, 3);
    await table.delete("id = 1");
    await turns.append(path, 4);
    await expectSameReading(path, {}, engine, ingot);
    expect((await ingot.read(path)).map(({ id }) => id)).toEqual(["2", "3", "4"]);
  });
}
